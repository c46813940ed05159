"""Model files: by name with a pinned hash, or by path. A file whose bytes are not those expected is never loaded."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from resources.common.errors import BadInput

MAGIC = b"GGUF"


@dataclass(frozen=True)
class NamedModel:
    """A published model: its file name, size and hash; `address` is where its publisher has it."""

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
    """A model that is there, with the hash of its bytes."""

    path: Path
    bytes: int
    sha256: str


def find_model(model: str, sha256: str, folder: str) -> ModelFile:
    """The file of a named model in `folder`, or at a path. Raises BadInput with what to do."""
    named = NAMED.get(model)
    path = Path(folder) / named.file if named else Path(model).expanduser()
    if not path.is_file():
        mend = f"make model MODEL={model} fetches it" if named else f"give a path, or one of {', '.join(NAMED)}"
        raise BadInput(f"{path} is missing: {mend}")
    _judge_beginning(path, named)
    expected, found = (named.sha256 if named else sha256), hash_of(path, Path(folder))
    if expected and found != expected:
        mend = "delete it and run make model" if named else "check CRATES_MODEL_SHA256, or fetch it again"
        raise BadInput(f"{path} is not what was published: sha256 {found}, expected {expected}: {mend}")
    return ModelFile(path, path.stat().st_size, found)


def _judge_beginning(path: Path, named: NamedModel | None) -> None:
    size = path.stat().st_size
    if named and size != named.bytes:
        raise BadInput(f"{path} has {size:,} bytes, expected {named.bytes:,}: it was cut; make model goes on with it")
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise BadInput(f"{path} begins with {magic!r}, expected {MAGIC!r}: it is no GGUF file, take another")


def hash_of(path: Path, folder: Path) -> str:
    """The sha256 of a file, read once: it is kept in `folder` for as long as the file is not touched."""
    stat = path.stat()
    state = {"path": str(path.absolute()), "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "inode": stat.st_ino}
    stamp = folder / f"{hashlib.sha256(state['path'].encode()).hexdigest()[:16]}.json"
    kept = _kept(stamp)
    if {**kept, **state} == kept and isinstance(kept.get("sha256"), str):
        return kept["sha256"]
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    new = stamp.with_suffix(".new")
    new.write_text(json.dumps({**state, "sha256": sha256}))
    new.replace(stamp)
    return sha256


def _kept(stamp: Path) -> dict:
    try:
        kept = json.loads(stamp.read_text())
    except (FileNotFoundError, ValueError):  # none yet, or cut: the file is read anew
        return {}
    return kept if isinstance(kept, dict) else {}
