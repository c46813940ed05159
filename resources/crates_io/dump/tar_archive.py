"""The tar.gz of the database dump, read once from beginning to end; only the wanted tables are extracted."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Self

from resources.common.errors import BadInput
from resources.crates_io.dump.dump_file import CHUNK_BYTES, DumpFile, Progress
from resources.crates_io.dump.members import MAX_MEMBERS, CsvDigest, check_name, check_size

HEAD_BYTES = 1 << 20  # metadata.json is before the tables, after a few kB of SQL
MAX_PADDING_BYTES = 1 << 20  # a tar is padded with zeros to a multiple of its record size
REGULAR_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE)


class DumpTar:
    """The members of the tar.gz at `path`; `name` is for messages."""

    def __init__(self, name: str, path: Path):
        self.name, self.path = name, path

    def extract(self, wanted: dict[str, Path], progress: Progress) -> dict[str, CsvDigest]:
        """Writes the members `wanted` (by path in the dump) as gzip files; returns the digest of every member.

        The digests of other members are empty. No file is valid before this returns, because the CRC of the archive is
        at its end. Raises BadInput.
        """
        found: dict[str, CsvDigest] = {}
        size, total = self.path.stat().st_size, 0
        with self.path.open("rb") as raw, _open(self.name, raw) as (archive, stream):
            for info, name in _files(self.name, archive):
                check_name(self.name, name, found)
                total += info.size
                check_size(self.name, f"{name} with the members before it", total, size)
                found[name] = CsvDigest()
                if name in wanted:
                    content = archive.extractfile(info)
                    assert content is not None, "a regular file has content"
                    found[name] = _compress(content, wanted[name])
                    progress(raw.tell())
            if len(stream.read(MAX_PADDING_BYTES)) == MAX_PADDING_BYTES:  # reads the CRC at the end
                raise BadInput(f"{self.name} continues after the end of the tar: use another archive")
        return found


def read_tar_metadata(source: DumpFile) -> bytes:
    """metadata.json from the beginning of a tar.gz. Raises BadInput."""
    head = io.BytesIO(source.read(0, min(HEAD_BYTES, source.size)))
    with _open(source.name, head) as (archive, _):
        for info, name in _files(source.name, archive):
            if name == "metadata.json" and info.size < CHUNK_BYTES:
                content = archive.extractfile(info)
                return content.read() if content else b""
            if name.startswith("data/"):
                break
    raise BadInput(f"{source.name}: no metadata.json before the tables: use a crates.io database dump")


class _RegularHeader(tarfile.TarInfo):
    """The header of a file or folder. Extended headers are rejected, because tarfile reads them into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type not in REGULAR_TYPES:
            raise tarfile.ReadError(f"{header.name[:100]!r} is not a regular file")
        return header


@contextmanager
def _open(name: str, raw: BinaryIO) -> Iterator[tuple[tarfile.TarFile, gzip.GzipFile]]:
    """The tar and its decompressed stream. Raises BadInput."""
    try:
        with (
            gzip.GzipFile(fileobj=raw, mode="rb") as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=_RegularHeader) as archive,
        ):
            yield archive, stream
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(
            f"{name} is truncated, corrupt or not a tar.gz of a dump ({error}): fetch it again, or check the URL"
        ) from error


def _files(name: str, archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """The files and their names without the dated folder."""
    for number, info in enumerate(archive):
        if number == MAX_MEMBERS:
            raise BadInput(f"{name} has more than {MAX_MEMBERS} members, a dump has about 25: check the URL")
        if info.isfile():
            check_name(name, info.name, ())
            yield info, info.name.partition("/")[2] or info.name


def _compress(content: IO[bytes], path: Path) -> CsvDigest:
    """Writes a gzip file of `content`. Level 1 takes half of the time for a tenth more bytes."""
    digest = CsvDigest()
    compressor = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    with path.open("wb") as out:
        while chunk := content.read(CHUNK_BYTES):
            digest.add(chunk)
            out.write(compressor.compress(chunk))
        out.write(compressor.flush())
    return digest
