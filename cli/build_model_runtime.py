"""`make .venv/model-ready`: llama-cpp-python compiled in a trimmed form, once for a machine, and installed in .venv.

The wheel is kept in the user's cache, by what it was built from and for. Building takes about 270 CPU-seconds.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from resources.common.settings import PROJECT

LOCK, BUILD_LOCK = PROJECT / "requirements-model.lock", PROJECT / "requirements-build.lock"
# the common library is for llama.cpp's own programs; its CMake file can only be overruled from within
OVERRULE = 'set(LLAMA_BUILD_COMMON OFF CACHE BOOL "" FORCE)\n'
OPTIONS = ("LLAVA_BUILD=OFF", "LLAMA_OPENSSL=OFF", "GGML_NATIVE=OFF")
# what CPUs of the last ten years have; without them it is many times slower
X86_FEATURES = {"avx": "AVX", "avx2": "AVX2", "fma": "FMA", "f16c": "F16C", "bmi2": "BMI2"}


def main() -> int:
    """Builds the wheel if it is not cached, and installs it. Returns the exit code."""
    options = [*OPTIONS, *features()]
    kept = cache() / key(options)
    try:
        if not list(kept.glob("*.whl")):
            build(options, kept)
        install(kept)
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd[:6]))} … failed; {mend()}", file=sys.stderr)
        return 1
    return 0


def features() -> list[str]:
    """CMake options for this CPU; none where it is no x86."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return []
    info = Path("/proc/cpuinfo")
    flags = set(info.read_text().split()) if info.exists() else set(X86_FEATURES)
    return [f"GGML_{name}={'ON' if flag in flags else 'OFF'}" for flag, name in X86_FEATURES.items()]


def cache() -> Path:
    """The folder of built wheels in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rust-crate-pipeline" / "wheels"


def key(options: list[str]) -> str:
    """Names a wheel by all that it depends on."""
    python = f"{sys.implementation.cache_tag}-{platform.system()}-{platform.machine()}"
    built_from = [python, *options, OVERRULE, LOCK.read_text(), BUILD_LOCK.read_text()]
    return hashlib.sha256("\0".join(built_from).encode()).hexdigest()[:16]


def build(options: list[str], kept: Path) -> None:
    """Compiles the wheel in a folder that is thrown away, and keeps it whole or not at all."""
    print("compiling llama-cpp-python (once; two to five minutes)", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        overrule = work / "overrule.cmake"
        overrule.write_text(OVERRULE)
        python = work / "venv" / "bin" / "python"
        run(sys.executable, "-m", "venv", work / "venv", "--without-pip")
        run(uv(), "pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", BUILD_LOCK)
        (work / "lock").write_text(of_llama(LOCK.read_text()))
        given = [f"-D{option}" for option in (*options, f"CMAKE_PROJECT_llama.cpp_INCLUDE={overrule}")]
        environment = {
            **os.environ,
            "CMAKE_ARGS": " ".join(given),
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        }
        # pip, since uv builds no wheel of a locked source package without installing it
        pip = (sys.executable, "-m", "pip", f"--python={python}", "wheel", "--quiet", "--disable-pip-version-check")
        arguments = ("--no-deps", "--no-cache-dir", "--no-build-isolation", "--require-hashes")
        run(*pip, *arguments, "-r", work / "lock", "-w", work / "wheel", environment=environment)
        keep(work / "wheel", kept)


def of_llama(lock: str) -> str:
    """The lines of the lock file for llama-cpp-python alone."""
    lines = lock.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("llama-cpp-python=="))
    end = next(n for n in range(start + 1, len(lines)) if not lines[n].startswith("    --hash"))
    return "\n".join(lines[start:end]).rstrip("\\ ") + "\n"


def keep(wheels: Path, kept: Path) -> None:
    """Copies the wheel beside its place and renames it: another build may do the same."""
    kept.mkdir(parents=True, exist_ok=True)
    for wheel in wheels.glob("*.whl"):
        new = kept / f".{os.getpid()}.{wheel.name}"
        shutil.copyfile(wheel, new)
        new.replace(kept / wheel.name)


def install(kept: Path) -> None:
    """Installs the wheel, and what else the lock file names."""
    with tempfile.TemporaryDirectory() as folder:
        others = Path(folder) / "lock"
        others.write_text(LOCK.read_text().replace(of_llama(LOCK.read_text()).rstrip(), ""))
        run(uv(), "pip", "install", "--quiet", "--require-hashes", "--python", sys.executable, "-r", others)
    wheel = next(iter(sorted(kept.glob("*.whl"))))
    run(uv(), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, wheel)


def uv() -> str:
    """The path of uv in this environment."""
    return str(Path(sys.executable).with_name("uv"))


def run(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    """Runs a command. Raises CalledProcessError if it fails."""
    subprocess.run([str(part) for part in command], check=True, env=environment)


def mend() -> str:
    """How to fix a failed build."""
    if not (shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")):
        return "llama.cpp needs a C++ compiler: install g++ or clang++ (Debian: apt-get install g++), and run again"
    return "see its words above"


if __name__ == "__main__":
    sys.exit(main())
