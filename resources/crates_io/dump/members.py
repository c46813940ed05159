"""Checks of the members of a dump's archive, zip or tar: names, sizes and content."""

import re
import struct
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from resources.common.errors import BadInput
from resources.crates_io.dump.dump_file import CHUNK_BYTES

MAX_MEMBERS = 1000  # a dump has about 25
# every part begins with a letter, digit or _, so none is "..", hidden or empty
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*/?")
MAX_MEMBER_BYTES = 40_000_000_000  # ten times the largest table of today's dump
# deflate reaches a ratio of 1,000 on zeros and about 10 on CSV; small members are exempt
MAX_RATIO, MIN_BYTES_FOR_RATIO = 200, 1_000_000
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass
class CsvDigest:
    """Size in bytes, CRC and number of records of a CSV file, computed while its bytes are copied.

    `records` counts the lines that end outside quotes, including the header. The file is well-formed if it has no
    carriage return outside quotes and ends with a complete record.
    """

    size: int = 0
    crc32: int = 0
    records: int = 0
    _in_quotes: bool = False
    _has_return: bool = False
    _ends_line: bool = True

    def add(self, chunk: bytes) -> None:
        if not chunk:
            return
        self.size += len(chunk)
        self.crc32 = zlib.crc32(chunk, self.crc32)
        parts = chunk.split(b'"')
        outside = b'"'.join(parts[self._in_quotes :: 2])
        self.records += outside.count(b"\n")
        self._has_return |= b"\r" in outside
        self._in_quotes ^= len(parts) % 2 == 0
        self._ends_line = chunk.endswith(b"\n")

    @property
    def is_well_formed(self) -> bool:
        return self._ends_line and not self._in_quotes and not self._has_return


@dataclass(frozen=True)
class Member:
    """One file of an archive, as the archive declares it."""

    name: str
    crc32: int
    bytes: int
    compressed_bytes: int


def check_name(archive: str, name: str, seen: Container[str]) -> None:
    """Raises BadInput for a name that is duplicated, leads out of the archive, or is not one of a dump."""
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{archive}: the name {name[:100]!r} leads out of the archive or is not one of a dump: use another archive"
        )
    if name in seen:
        raise BadInput(f"{archive}: {name} is duplicated: fetch the dump again")


def check_size(archive: str, name: str, size: int, compressed: int) -> None:
    """Raises BadInput for a member that is too large to be a table of a dump. Sizes are in bytes."""
    if size > MAX_MEMBER_BYTES or (size > MIN_BYTES_FOR_RATIO and size > MAX_RATIO * max(compressed, 1)):
        raise BadInput(
            f"{archive}: {name} declares {size:,} bytes from {compressed:,} compressed bytes, expected at most "
            f"{MAX_MEMBER_BYTES:,} and {MAX_RATIO} times its compressed size: use another archive"
        )


def inflate_verified(
    raw: BinaryIO, member: Member, is_deflated: bool, digest: CsvDigest
) -> Iterator[tuple[bytes, bytes]]:
    """Yields pairs of compressed and inflated bytes, one of which is empty; the inflated ones are added to `digest`.

    Raises BadInput unless size and CRC are as declared.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS) if is_deflated else None
    try:
        while chunk := raw.read(CHUNK_BYTES):
            yield chunk, b""
            for inflated in _inflated(inflater, chunk) if inflater else (chunk,):
                digest.add(inflated)
                if digest.size > member.bytes or (inflater and inflater.unused_data):
                    raise BadInput(
                        f"{member.name} is larger than its declared {member.bytes:,} bytes: use another archive"
                    )
                yield b"", inflated
        if inflater:
            inflated = inflater.flush()
            digest.add(inflated)
            yield b"", inflated
    except zlib.error as error:
        raise BadInput(f"{member.name} is corrupt ({error}): fetch the dump again") from error
    is_complete = inflater is None or inflater.eof
    if not is_complete or digest.size != member.bytes or digest.crc32 != member.crc32:
        raise BadInput(
            f"{member.name} is truncated or corrupt ({digest.size:,} bytes, CRC {digest.crc32:08x}; expected "
            f"{member.bytes:,}, {member.crc32:08x}): fetch the dump again"
        )


def _inflated(inflater: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    """A chunk, inflated in pieces: one MB may inflate to one GB."""
    while chunk:
        yield inflater.decompress(chunk, CHUNK_BYTES)
        chunk = inflater.unconsumed_tail


def wrap_in_gzip(raw: BinaryIO, member: Member, is_deflated: bool, out: BinaryIO) -> CsvDigest:
    """Writes a member as a gzip file without compressing its deflate stream again. Raises BadInput if it is corrupt."""
    compressor = None if is_deflated else zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    digest = CsvDigest()
    out.write(GZIP_HEADER)
    for compressed, inflated in inflate_verified(raw, member, is_deflated, digest):
        out.write(compressor.compress(inflated) if compressor else compressed)
    if compressor:
        out.write(compressor.flush())
    out.write(struct.pack("<II", member.crc32, member.bytes & 0xFFFFFFFF))
    return digest
