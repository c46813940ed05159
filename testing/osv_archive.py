"""The members of a zip, or the files of a folder, read one by one and bounded. A zip that plays tricks is refused."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from resources.advisories.schema import Unreadable
from resources.common.errors import BadInput

MOST_ARCHIVE = 512_000_000  # bytes; the real one has a few millions
MOST_MEMBERS = 200_000
MOST_UNPACKED = 2_000_000_000
MOST_RATIO = 100  # JSON shrinks to a fifth or a tenth
MOST_BYTES = 1_000_000  # of one member that is read

Members = dict[str, Callable[[], bytes]]  # file name: reads its bytes, or raises Unreadable

BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError)


@contextmanager
def open_members(source: Path | bytes) -> Iterator[Members]:
    """The files of a folder or a zip (its path or its bytes). Raises BadInput."""
    if isinstance(source, Path) and source.is_dir():
        yield {path.name: _reader(path) for path in _listed(source)}
        return
    size = len(source) if isinstance(source, bytes) else _size(source)
    if size > MOST_ARCHIVE:
        raise _refused(f"it has {size} bytes, expected {MOST_ARCHIVE} at most")
    try:
        archive = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except BROKEN as error:
        raise _refused(f"it cannot be read as a zip: {error}") from error
    with archive:
        yield _checked(archive, size)


def _checked(archive: zipfile.ZipFile, size: int) -> Members:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MOST_MEMBERS:
        raise _refused(f"it has {len(infos)} members, expected {MOST_MEMBERS} at most")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > min(MOST_UNPACKED, size * MOST_RATIO):
        raise _refused(f"its {size} bytes are said to hold {unpacked}")
    members: Members = {}
    for info in infos:
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename or "\0" in info.orig_filename:
            raise _refused(f"member {info.orig_filename[:80]!r} leads out of the folder it is unpacked in")
        if path.name in members:
            raise _refused(f"it has {path.name[:80]!r} twice")
        members[path.name] = _member_reader(archive, info)
    return members


def _member_reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unreadable(f"packed by method {info.compress_type}, expected deflate")
        try:
            with archive.open(info) as file:
                return _short(file.read(MOST_BYTES + 1))
        except Unreadable:
            raise
        except BROKEN as error:
            raise Unreadable(f"cannot be unpacked: {str(error)[:200]}") from error

    return read


def _listed(folder: Path) -> list[Path]:
    paths = sorted(folder.iterdir())
    if len(paths) > MOST_MEMBERS:
        raise _refused(f"{folder} has {len(paths)} files, expected {MOST_MEMBERS} at most")
    return paths


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        if path.is_symlink() or not path.is_file():
            raise Unreadable("it is a link or no file, which is not followed")
        with path.open("rb") as file:
            return _short(file.read(MOST_BYTES + 1))

    return read


def _short(content: bytes) -> bytes:
    if len(content) > MOST_BYTES:
        raise Unreadable(f"longer than {MOST_BYTES} bytes")
    return content


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise BadInput(f"the OSV advisories {path} cannot be read ({error}): give a folder, or all.zip") from error


def _refused(reason: str) -> BadInput:
    return BadInput(f"the OSV archive is refused: {reason}. Fetch all.zip again from the OSV bucket")
