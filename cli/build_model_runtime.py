"""`make .venv/model-ready`: compiles llama-cpp-python without its unused parts and installs it in .venv.

The wheel is cached for the user, by the sources, options and platform it is built for. A build takes about 270
CPU-seconds.
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
# only llama.cpp's own programs need its common library; an included CMake file is the only way to switch it off
CMAKE_INCLUDE = 'set(LLAMA_BUILD_COMMON OFF CACHE BOOL "" FORCE)\n'
OPTIONS = ("LLAVA_BUILD=OFF", "LLAMA_OPENSSL=OFF", "GGML_NATIVE=OFF")
# CPUs of the last ten years have them; without them llama.cpp is many times slower
X86_FEATURES = {"avx": "AVX", "avx2": "AVX2", "fma": "FMA", "f16c": "F16C", "bmi2": "BMI2"}


def main() -> int:
    """Builds the wheel if it is not cached, and installs it. Returns the exit code."""
    options = [*OPTIONS, *features()]
    cached = wheel_cache() / cache_key(options)
    try:
        if not list(cached.glob("*.whl")):
            build(options, cached)
        install(cached)
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd[:6]))} … failed: {recovery_hint()}", file=sys.stderr)
        return 1
    return 0


def features() -> list[str]:
    """CMake options for this CPU; none if it is not x86."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return []
    info = Path("/proc/cpuinfo")
    flags = set(info.read_text().split()) if info.exists() else set(X86_FEATURES)
    return [f"GGML_{name}={'ON' if flag in flags else 'OFF'}" for flag, name in X86_FEATURES.items()]


def wheel_cache() -> Path:
    """The folder of built wheels in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rust-crate-pipeline" / "wheels"


def cache_key(options: list[str]) -> str:
    """A hash of everything that a wheel depends on."""
    python = f"{sys.implementation.cache_tag}-{platform.system()}-{platform.machine()}"
    built_from = [python, *options, CMAKE_INCLUDE, LOCK.read_text(), BUILD_LOCK.read_text()]
    return hashlib.sha256("\0".join(built_from).encode()).hexdigest()[:16]


def build(options: list[str], cached: Path) -> None:
    """Compiles the wheel in a temporary folder and adds it to the folder `cached`."""
    print("compiling llama-cpp-python (once; two to five minutes)", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        include = work / "include.cmake"
        include.write_text(CMAKE_INCLUDE)
        python = work / "venv" / "bin" / "python"
        run(sys.executable, "-m", "venv", work / "venv", "--without-pip")
        run(uv(), "pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", BUILD_LOCK)
        (work / "lock").write_text(llama_lines(LOCK.read_text()))
        arguments = [f"-D{option}" for option in (*options, f"CMAKE_PROJECT_llama.cpp_INCLUDE={include}")]
        environment = {
            **os.environ,
            "CMAKE_ARGS": " ".join(arguments),
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        }
        # uv cannot build the wheel of a locked source package without installing it
        pip = (sys.executable, "-m", "pip", f"--python={python}", "wheel", "--quiet", "--disable-pip-version-check")
        flags = ("--no-deps", "--no-cache-dir", "--no-build-isolation", "--require-hashes")
        run(*pip, *flags, "-r", work / "lock", "-w", work / "wheel", environment=environment)
        add_to_cache(work / "wheel", cached)


def llama_lines(lock: str) -> str:
    """The lines of the lock file for llama-cpp-python alone."""
    lines = lock.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("llama-cpp-python=="))
    end = next(n for n in range(start + 1, len(lines)) if not lines[n].startswith("    --hash"))
    return "\n".join(lines[start:end]).rstrip("\\ ") + "\n"


def add_to_cache(wheels: Path, cached: Path) -> None:
    """Copies the wheel to a temporary name and renames it, because another build may do the same."""
    cached.mkdir(parents=True, exist_ok=True)
    for wheel in wheels.glob("*.whl"):
        new = cached / f".{os.getpid()}.{wheel.name}"
        shutil.copyfile(wheel, new)
        new.replace(cached / wheel.name)


def install(cached: Path) -> None:
    """Installs the wheel, and the other packages of the lock file."""
    with tempfile.TemporaryDirectory() as folder:
        others = Path(folder) / "lock"
        others.write_text(LOCK.read_text().replace(llama_lines(LOCK.read_text()).rstrip(), ""))
        run(uv(), "pip", "install", "--quiet", "--require-hashes", "--python", sys.executable, "-r", others)
    wheel = next(iter(sorted(cached.glob("*.whl"))))
    run(uv(), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, wheel)


def uv() -> str:
    """The path of uv in this environment."""
    return str(Path(sys.executable).with_name("uv"))


def run(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    """Runs a command. Raises CalledProcessError if it fails."""
    subprocess.run([str(part) for part in command], check=True, env=environment)


def recovery_hint() -> str:
    """How to fix a failed build."""
    if not (shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")):
        return "llama.cpp needs a C++ compiler: install g++ or clang++ (Debian: apt-get install g++) and run again"
    return "its messages are above"


if __name__ == "__main__":
    sys.exit(main())
