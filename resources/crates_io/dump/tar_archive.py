"""The tar.gz of the database dump, read once from beginning to end: nothing is unpacked but the tables asked for."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Self

from resources.common.errors import BadInput
from resources.crates_io.dump.file_bytes import FileBytes, Progress
from resources.crates_io.dump.members import CHUNK, MOST_MEMBERS, Content, check_name, check_size

HEAD = 1 << 20  # bytes: metadata.json stands before the tables, behind a few kB of SQL
MOST_PADDING = 1 << 20  # bytes: a tar is filled up with zeros to a multiple of its record size
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE)


class DumpTar:
    """The members of a dump's tar.gz. `path` is the file on this disk."""

    def __init__(self, name: str, path: Path):
        self.name, self.path = name, path

    def take(self, wanted: dict[str, Path], progress: Progress) -> dict[str, Content]:
        """Writes the members `wanted` (by path in the dump) as gzip files; returns what each of the archive's holds.

        Of those not wanted nothing is known. Nothing is to be trusted before this returns: the CRC of the archive
        stands at its end. Raises BadInput.
        """
        found: dict[str, Content] = {}
        size, together = self.path.stat().st_size, 0
        with self.path.open("rb") as raw, _opened(self.name, raw) as (archive, plain):
            for info, name in _files(self.name, archive):
                check_name(self.name, name, found)
                together += info.size
                check_size(self.name, f"{name} with what stands before it", together, size)
                found[name] = Content()
                if name in wanted:
                    content = archive.extractfile(info)
                    assert content is not None, "a regular file has content"
                    found[name] = _compress(content, wanted[name])
                    progress(raw.tell())
            if len(plain.read(MOST_PADDING)) == MOST_PADDING:  # to the end, where the CRC stands
                raise BadInput(f"{self.name} goes on behind the end of the tar: do not use this archive")
        return found


def metadata_of_tar(source: FileBytes) -> bytes:
    """metadata.json from the head of a tar.gz. Raises BadInput."""
    head = io.BytesIO(source.read(0, min(HEAD, source.size)))
    with _opened(source.name, head) as (archive, _):
        for info, name in _files(source.name, archive):
            if name == "metadata.json" and info.size < CHUNK:
                content = archive.extractfile(info)
                return content.read() if content else b""
            if name.startswith("data/"):
                break
    raise BadInput(f"{source.name}: no metadata.json before the tables: is it a crates.io database dump?")


class _PlainHeader(tarfile.TarInfo):
    """A header of a file or a folder. Extended ones are refused too: tarfile reads them whole, whatever their size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type not in PLAIN:
            raise tarfile.ReadError(f"{header.name[:100]!r} is a link, a device or another thing that is no plain file")
        return header


@contextmanager
def _opened(name: str, raw: BinaryIO) -> Iterator[tuple[tarfile.TarFile, gzip.GzipFile]]:
    """The tar as a stream, and the stream itself, which the tar reads to its end."""
    try:
        with (
            gzip.GzipFile(fileobj=raw, mode="rb") as plain,
            tarfile.open(fileobj=plain, mode="r|", tarinfo=_PlainHeader) as archive,
        ):
            yield archive, plain
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(
            f"{name} is cut or corrupt, or no tar.gz of a dump ({error}): fetch it again, or check the address"
        ) from error


def _files(name: str, archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """The files, with their names without the dated folder around them."""
    for number, info in enumerate(archive):
        if number == MOST_MEMBERS:
            raise BadInput(f"{name} has more than {MOST_MEMBERS} members, a dump has some 25: check the address")
        if info.isfile():
            check_name(name, info.name, ())
            yield info, info.name.partition("/")[2] or info.name


def _compress(content: IO[bytes], path: Path) -> Content:
    """Writes a gzip file; returns what went in. Level 1: half of the time for a tenth more bytes."""
    seen = Content()
    compressor = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    with path.open("wb") as out:
        while chunk := content.read(CHUNK):
            seen.add(chunk)
            out.write(compressor.compress(chunk))
        out.write(compressor.flush())
    return seen
