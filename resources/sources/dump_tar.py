"""The tar.gz of the database dump, read once from beginning to end: nothing is unpacked but the tables asked for."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from resources.errors import BadInput
from resources.sources.dump_members import CHUNK, Member, check_name, check_size
from resources.sources.file_bytes import FileBytes, Progress

HEAD = 1 << 20  # bytes: metadata.json stands before the tables, behind a few kB of SQL


class DumpTar:
    """The members of a dump's tar.gz. `path` is the file on this disk."""

    def __init__(self, name: str, path: Path):
        self.name, self.path = name, path

    def take(self, wanted: dict[str, Path], progress: Progress) -> dict[str, Member]:
        """Writes the members `wanted` (by path in the dump) as gzip files; returns what the whole archive has.

        Nothing is to be trusted before this returns: the CRC of the archive stands at its end. Raises BadInput.
        """
        found: dict[str, Member] = {}
        with self.path.open("rb") as raw, _opened(self.name, raw) as archive:
            for info, name in _files(self.name, archive):
                check_name(self.name, name, found)
                check_size(self.name, name, info.size, self.path.stat().st_size)
                crc = 0
                if name in wanted:
                    content = archive.extractfile(info)
                    assert content is not None, "a regular file has content"
                    crc = _compress(content, wanted[name])
                    progress(raw.tell())
                found[name] = Member(name, crc, info.size, 0)
        return found


def metadata_of_tar(source: FileBytes) -> bytes:
    """metadata.json from the head of a tar.gz. Raises BadInput."""
    head = io.BytesIO(source.read(0, min(HEAD, source.size)))
    with _opened(source.name, head) as archive:
        for info, name in _files(source.name, archive):
            if name == "metadata.json" and info.size < CHUNK:
                content = archive.extractfile(info)
                return content.read() if content else b""
            if name.startswith("data/"):
                break
    raise BadInput(f"{source.name}: no metadata.json before the tables: is it a crates.io database dump?")


@contextmanager
def _opened(name: str, raw: BinaryIO) -> Iterator[tarfile.TarFile]:
    try:
        with gzip.GzipFile(fileobj=raw, mode="rb") as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
            yield archive
            while plain.read(CHUNK):  # to the end, where the CRC stands
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(
            f"{name} is cut or corrupt, or no tar.gz ({error}): fetch it again, or check the address"
        ) from error


def _files(name: str, archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """The regular files, with their names without the dated folder around them."""
    for info in archive:
        if info.isdir():
            continue
        if not info.isreg():
            raise BadInput(f"{name}: {info.name[:100]!r} is a link or a device, not a file: do not use this archive")
        check_name(name, info.name, ())
        yield info, info.name.partition("/")[2] or info.name


def _compress(content: IO[bytes], path: Path) -> int:
    """Writes a gzip file; returns the CRC of what went in. Level 1: half of the time for a tenth more bytes."""
    crc = 0
    compressor = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    with path.open("wb") as out:
        while chunk := content.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
            out.write(compressor.compress(chunk))
        out.write(compressor.flush())
    return crc
