"""The members of a zip or the files of a folder, read one by one with size limits. A malicious zip is rejected."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from resources.advisories.schema import InvalidAdvisory
from resources.common.errors import BadInput

MAX_ARCHIVE_BYTES = 512_000_000  # the real one has a few million
MAX_MEMBERS = 200_000
MAX_UNPACKED_BYTES = 2_000_000_000
MAX_RATIO = 100  # JSON compresses to a fifth or a tenth
MAX_BYTES = 1_000_000  # of one member

Members = dict[str, Callable[[], bytes]]  # file name: function that reads its bytes or raises InvalidAdvisory

ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError)


@contextmanager
def open_members(source: Path | bytes) -> Iterator[Members]:
    """The files of a folder or a zip (its path or its bytes). Raises BadInput."""
    if isinstance(source, Path) and source.is_dir():
        yield {path.name: _reader(path) for path in _listed(source)}
        return
    size = len(source) if isinstance(source, bytes) else _size(source)
    if size > MAX_ARCHIVE_BYTES:
        raise _rejected(f"it has {size} bytes, expected at most {MAX_ARCHIVE_BYTES}")
    try:
        archive = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except ZIP_ERRORS as error:
        raise _rejected(f"it is not a valid zip: {error}") from error
    with archive:
        yield _checked(archive, size)


def _checked(archive: zipfile.ZipFile, size: int) -> Members:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MAX_MEMBERS:
        raise _rejected(f"it has {len(infos)} members, expected at most {MAX_MEMBERS}")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > min(MAX_UNPACKED_BYTES, size * MAX_RATIO):
        raise _rejected(f"its {size} bytes declare {unpacked} uncompressed bytes")
    members: Members = {}
    for info in infos:
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename or "\0" in info.orig_filename:
            raise _rejected(f"member {info.orig_filename[:80]!r} leads out of the archive")
        if path.name in members:
            raise _rejected(f"{path.name[:80]!r} is duplicated")
        members[path.name] = _member_reader(archive, info)
    return members


def _member_reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InvalidAdvisory(f"compression method {info.compress_type}, expected deflate")
        try:
            with archive.open(info) as file:
                return _limited(file.read(MAX_BYTES + 1))
        except InvalidAdvisory:
            raise
        except ZIP_ERRORS as error:
            raise InvalidAdvisory(f"cannot be decompressed: {str(error)[:200]}") from error

    return read


def _listed(folder: Path) -> list[Path]:
    paths = sorted(folder.iterdir())
    if len(paths) > MAX_MEMBERS:
        raise _rejected(f"{folder} has {len(paths)} files, expected at most {MAX_MEMBERS}")
    return paths


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        if path.is_symlink() or not path.is_file():
            raise InvalidAdvisory("it is a link or not a file")
        with path.open("rb") as file:
            return _limited(file.read(MAX_BYTES + 1))

    return read


def _limited(content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise InvalidAdvisory(f"longer than {MAX_BYTES} bytes")
    return content


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise BadInput(f"cannot read the OSV advisories {path} ({error}): use a folder or all.zip") from error


def _rejected(reason: str) -> BadInput:
    return BadInput(f"the OSV archive is invalid: {reason}. Fetch all.zip again from the OSV bucket")
