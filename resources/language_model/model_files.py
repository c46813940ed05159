"""Model files, by name with a pinned hash or by path. A file whose bytes are not the expected ones is never loaded."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from resources.common.errors import BadInput
from resources.common.files import write_atomically

MAGIC = b"GGUF"


@dataclass(frozen=True)
class NamedModel:
    """A published model: its file name, size and hash, and the folder at `address` that its publisher has it in."""

    file: str
    bytes: int
    sha256: str
    address: str


_QWEN = "https://huggingface.co/Qwen/Qwen2.5-Coder-{size}-Instruct-GGUF/resolve/main/"
NAMED = {
    "qwen2.5-coder-0.5b": NamedModel(
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        bytes=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        address=_QWEN.format(size="0.5B"),
    ),
    "qwen2.5-coder-1.5b": NamedModel(
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        address=_QWEN.format(size="1.5B"),
    ),
}


@dataclass(frozen=True)
class ModelFile:
    """A model file that was found, its size in bytes and the hash of its bytes."""

    path: Path
    bytes: int
    sha256: str


def find_model(model: str, sha256: str, folder: str) -> ModelFile:
    """The file of a named model in `folder`, or of a model at a path.

    `sha256` is the expected hash of a model given by path, or ''. Raises BadInput if the file is missing, is not GGUF
    or has other bytes than expected.
    """
    named = NAMED.get(model)
    path = Path(folder) / named.file if named else Path(model).expanduser()
    if not path.is_file():
        hint = f"run `crates model fetch {model}`" if named else f"give a path, or one of {', '.join(NAMED)}"
        raise BadInput(f"{path} is missing: {hint}")
    _check_size_and_magic(path, model, named)
    expected, found = (named.sha256 if named else sha256), file_hash(path, Path(folder))
    if expected and found != expected:
        hint = _fetch_again(model) if named else "check CRATES_MODEL_SHA256 or fetch the file again"
        raise BadInput(f"{path} has sha256 {found}, expected {expected}: {hint}")
    return ModelFile(path, path.stat().st_size, found)


def _check_size_and_magic(path: Path, model: str, named: NamedModel | None) -> None:
    size = path.stat().st_size
    if named and size != named.bytes:
        raise BadInput(f"{path} has {size:,} bytes, expected {named.bytes:,}: {_fetch_again(model)}")
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise BadInput(f"{path} begins with {magic!r}, expected {MAGIC!r}: it is not a GGUF file, use another")


def _fetch_again(model: str) -> str:
    return f"delete it and run `crates model fetch {model}`"


def file_hash(path: Path, folder: Path) -> str:
    """The sha256 of a file. It is cached in `folder` until the file's size, inode or time of change is another."""
    stat = path.stat()
    state = {"path": str(path.absolute()), "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "inode": stat.st_ino}
    cache = folder / f"{hashlib.sha256(state['path'].encode()).hexdigest()[:16]}.json"
    cached = _cached(cache)
    if {**cached, **state} == cached and isinstance(cached.get("sha256"), str):
        return cached["sha256"]
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(cache, json.dumps({**state, "sha256": sha256}).encode())
    return sha256


def _cached(cache: Path) -> dict:
    try:
        cached = json.loads(cache.read_text())
    except (FileNotFoundError, ValueError):  # not there yet, or damaged: the file is hashed again
        return {}
    return cached if isinstance(cached, dict) else {}
