"""The zip of the database dump, read in byte ranges: one table at a time, without the others.

`zipfile` parses the central directory, for which only the end of the file is fetched. Members stay compressed: a gzip
header and trailer are added to their deflate streams.
"""

import io
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from resources.common.errors import BadInput
from resources.crates_io.dump.dump_file import DumpFile, Progress
from resources.crates_io.dump.members import CsvDigest, Member, check_name, check_size, inflate_verified, wrap_in_gzip

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TAIL_BYTES = 1 << 17  # the central directory of a dump has about 2,000, a comment at most 65,535
LOCAL_HEADER_BYTES = 30  # before a member's name and extra field
ENCRYPTED = 0x1


class DumpZip:
    """The members of a dump's zip, by path."""

    def __init__(self, source: DumpFile):
        """Reads the central directory. Raises BadInput if the zip is invalid or malicious."""
        self.source = source
        try:
            with zipfile.ZipFile(io.BufferedReader(_TailReader(source))) as archive:
                infos = archive.infolist()
        except (zipfile.BadZipFile, struct.error, NotImplementedError, UnicodeDecodeError, ValueError) as error:
            raise BadInput(
                f"{source.name} is not a complete zip archive ({error}): fetch it again, or check the URL"
            ) from error
        self._infos: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            self._add(info)
        self._refuse_overlaps(infos)

    def _add(self, info: zipfile.ZipInfo) -> None:
        check_name(self.source.name, info.filename, self._infos)
        if info.is_dir():
            return
        kind = info.external_attr >> 28
        if kind not in (0, 0o10):
            raise BadInput(f"{self.source.name}: {info.filename} is not a regular file: use another archive")
        if info.flag_bits & ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadInput(
                f"{self.source.name}: {info.filename} is encrypted, or its compression is unknown: use another archive"
            )
        if not 0 <= info.header_offset <= self.source.size - LOCAL_HEADER_BYTES - info.compress_size:
            raise BadInput(f"{self.source.name}: {info.filename} is outside the archive: fetch it again")
        check_size(self.source.name, info.filename, info.file_size, info.compress_size)
        self._infos[info.filename] = info

    def _refuse_overlaps(self, infos: list[zipfile.ZipInfo]) -> None:
        """Raises BadInput if members share bytes, which lets a small archive expand to terabytes."""
        end, before = 0, ""
        for info in sorted(infos, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise BadInput(f"{self.source.name}: {info.filename} overlaps {before}: use another archive")
            end, before = info.header_offset + LOCAL_HEADER_BYTES + info.compress_size, info.filename

    def members(self) -> dict[str, Member]:
        """Every file in the archive."""
        return {name: Member(name, info.CRC, info.file_size, info.compress_size) for name, info in self._infos.items()}

    def read(self, name: str, max_bytes: int) -> bytes:
        """The content of a small member. Raises BadInput if it is missing, larger or corrupt."""
        info = self._infos.get(name)
        if info is None or max(info.file_size, info.compress_size) > max_bytes:
            raise BadInput(
                f"{self.source.name}: {name} is missing or has more than {max_bytes} bytes: use a crates.io dump"
            )
        start = self._data_offset(info)
        raw = io.BytesIO(self.source.read(start, start + info.compress_size))
        return b"".join(data for _, data in inflate_verified(raw, self._member(info), _is_deflated(info), CsvDigest()))

    def extract(self, name: str, partial: Path, path: Path, progress: Progress) -> CsvDigest:
        """Writes a member as a gzip file to `path` and verifies it. An interrupted download continues in `partial`."""
        info = self._infos[name]
        start = self._data_offset(info)
        self.source.copy(start, start + info.compress_size, partial, progress)
        with partial.open("rb") as raw, path.open("wb") as out:
            try:
                digest = wrap_in_gzip(raw, self._member(info), _is_deflated(info), out)
            except BadInput:
                partial.unlink()  # continuing a corrupt download would always fail
                path.unlink()
                raise
        partial.unlink()
        return digest

    def _member(self, info: zipfile.ZipInfo) -> Member:
        return Member(f"{self.source.name}: {info.filename}", info.CRC, info.file_size, info.compress_size)

    def _data_offset(self, info: zipfile.ZipInfo) -> int:
        """The offset of a member's bytes, after its local header, which must match the central directory."""
        name = info.filename.encode()
        header = self.source.read(info.header_offset, info.header_offset + LOCAL_HEADER_BYTES + len(name))
        if header[:4] != b"PK\x03\x04" or header[LOCAL_HEADER_BYTES:] != name:
            raise BadInput(f"{self.source.name}: {info.filename} has no local header at its offset: fetch it again")
        name_length, extra_length = struct.unpack("<HH", header[26:30])
        start = info.header_offset + LOCAL_HEADER_BYTES + name_length + extra_length
        if start + info.compress_size > self.source.size:
            raise BadInput(f"{self.source.name}: {info.filename} is outside the archive: fetch it again")
        return start


def _is_deflated(info: zipfile.ZipInfo) -> bool:
    return info.compress_type == zipfile.ZIP_DEFLATED


class _TailReader(io.RawIOBase):
    """A file object for `zipfile` that fetches the last TAIL_BYTES only, with the central directory in them."""

    def __init__(self, source: DumpFile):
        self.source, self.at = source, 0
        self.tail_at = max(source.size - TAIL_BYTES, 0)
        self.tail = source.read(self.tail_at, source.size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = max(offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.source.size}[whence], 0)
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        into = memoryview(buffer)
        end = min(self.at + len(into), self.source.size)
        if end <= self.at:
            return 0
        if self.at < self.tail_at:
            raise BadInput(
                f"{self.source.name}: no central directory in the last {TAIL_BYTES:,} bytes: use a crates.io dump"
            )
        found = self.tail[self.at - self.tail_at : end - self.tail_at]
        into[: len(found)] = found
        self.at += len(found)
        return len(found)
