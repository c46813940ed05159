"""The zip of the database dump, read in ranges: one table at a time, without the rest.

`zipfile` reads the central directory, over a file of which only the end is fetched. Members are taken as they are
compressed: wrapped in a gzip header and trailer they need no second compression.
"""

import io
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from resources.common.errors import BadInput
from resources.crates_io.dump.file_bytes import FileBytes, Progress
from resources.crates_io.dump.members import Content, Member, check_name, check_size, gzip_around, inflate_checked

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TAIL = 1 << 17  # bytes: the central directory of a dump has about 2,000, a comment at most 65,535
LOCAL_HEADER = 30  # bytes, before a member's name and extra field
ENCRYPTED = 0x1


class DumpZip:
    """The members of a dump's zip, by path."""

    def __init__(self, source: FileBytes):
        """Reads the central directory. Raises BadInput if it is no zip, or not one to be trusted."""
        self.source = source
        try:
            with zipfile.ZipFile(io.BufferedReader(_Ranges(source))) as archive:
                infos = archive.infolist()
        except (zipfile.BadZipFile, struct.error, NotImplementedError, UnicodeDecodeError, ValueError) as error:
            raise BadInput(
                f"{source.name} is no whole zip archive ({error}): fetch it again, or check the address"
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
            raise BadInput(
                f"{self.source.name}: {info.filename} is a link or a device, not a file: do not use this archive"
            )
        if info.flag_bits & ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadInput(f"{self.source.name}: {info.filename} is encrypted, or compressed in an unknown way")
        if not 0 <= info.header_offset <= self.source.size - LOCAL_HEADER - info.compress_size:
            raise BadInput(f"{self.source.name}: {info.filename} lies outside the archive: fetch it again")
        check_size(self.source.name, info.filename, info.file_size, info.compress_size)
        self._infos[info.filename] = info

    def _refuse_overlaps(self, infos: list[zipfile.ZipInfo]) -> None:
        """Raises BadInput where members share bytes: how a small archive is made to hold terabytes."""
        end, before = 0, ""
        for info in sorted(infos, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise BadInput(f"{self.source.name}: {info.filename} overlaps {before}: do not use this archive")
            end, before = info.header_offset + LOCAL_HEADER + info.compress_size, info.filename

    def members(self) -> dict[str, Member]:
        """Every file in the archive."""
        return {name: Member(name, info.CRC, info.file_size, info.compress_size) for name, info in self._infos.items()}

    def read(self, name: str, most_bytes: int) -> bytes:
        """A small member, whole. Raises BadInput if it is missing, larger or corrupt."""
        info = self._infos.get(name)
        if info is None or max(info.file_size, info.compress_size) > most_bytes:
            raise BadInput(f"{self.source.name}: {name} is missing or has more than {most_bytes} bytes: is it a dump?")
        start = self._start(info)
        raw = io.BytesIO(self.source.read(start, start + info.compress_size))
        return b"".join(plain for _, plain in inflate_checked(raw, self._member(info), _is_deflated(info), Content()))

    def take(self, name: str, partial: Path, path: Path, progress: Progress) -> Content:
        """Writes a member as a gzip file to `path`, verified; returns what it holds. `partial` keeps what was cut."""
        info = self._infos[name]
        start = self._start(info)
        self.source.copy(start, start + info.compress_size, partial, progress)
        with partial.open("rb") as raw, path.open("wb") as out:
            try:
                content = gzip_around(raw, self._member(info), _is_deflated(info), out)
            except BadInput:
                partial.unlink()  # going on from corrupt bytes would never end
                path.unlink()
                raise
        partial.unlink()
        return content

    def _member(self, info: zipfile.ZipInfo) -> Member:
        return Member(f"{self.source.name}: {info.filename}", info.CRC, info.file_size, info.compress_size)

    def _start(self, info: zipfile.ZipInfo) -> int:
        """Where a member's bytes begin: behind its local header, which must agree with the central directory."""
        name = info.filename.encode()
        header = self.source.read(info.header_offset, info.header_offset + LOCAL_HEADER + len(name))
        if header[:4] != b"PK\x03\x04" or header[LOCAL_HEADER:] != name:
            raise BadInput(f"{self.source.name}: {info.filename} has no header where it should be: fetch it again")
        name_length, extra_length = struct.unpack("<HH", header[26:30])
        start = info.header_offset + LOCAL_HEADER + name_length + extra_length
        if start + info.compress_size > self.source.size:
            raise BadInput(f"{self.source.name}: {info.filename} lies outside the archive: fetch it again")
        return start


def _is_deflated(info: zipfile.ZipInfo) -> bool:
    return info.compress_type == zipfile.ZIP_DEFLATED


class _Ranges(io.RawIOBase):
    """A file of which only the end is read, at once: the central directory must be in it."""

    def __init__(self, source: FileBytes):
        self.source, self.at = source, 0
        self.tail_at = max(source.size - TAIL, 0)
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
            raise BadInput(f"{self.source.name}: no central directory in its last {TAIL:,} bytes: is it a dump?")
        found = self.tail[self.at - self.tail_at : end - self.tail_at]
        into[: len(found)] = found
        self.at += len(found)
        return len(found)
