"""What holds for every member of a dump's archive, zip or tar: trusted names, bounded sizes, checked bytes."""

import re
import struct
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from resources.common.errors import BadInput

CHUNK = 1 << 20
MOST_MEMBERS = 1000  # a dump has some 25
# every part begins with a letter or digit, so that none is "..", hidden or empty
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*/?")
# the largest table of today's dump has some 4 GB; ten times that is no dump of crates.io any more
MOST_BYTES = 40_000_000_000
# deflate reaches 1,000 on zeros and some 10 on CSV; the allowance keeps small members out of it
MOST_RATIO, RATIO_FROM = 200, 1_000_000
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass
class Content:
    """What is known of a CSV file once its bytes have passed: `size` in bytes, CRC, and whether it is regular CSV.

    `records` are the lines that end outside quotes, the header among them. It is regular if no carriage return stands
    outside quotes, and its end is the end of a record.
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
    def is_regular(self) -> bool:
        return self._ends_line and not self._in_quotes and not self._has_return


@dataclass(frozen=True)
class Member:
    """One file of an archive as the archive declares it."""

    name: str
    crc32: int
    bytes: int
    compressed_bytes: int


def check_name(archive: str, name: str, seen: Container[str]) -> None:
    """Raises BadInput for a name that stands twice, leads out of the archive, or is no dump's."""
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{archive}: the name {name[:100]!r} leads out of the archive, or is not one that a dump has: do not use it"
        )
    if name in seen:
        raise BadInput(f"{archive}: {name} stands twice: which one is meant cannot be known; fetch it again")


def check_size(archive: str, name: str, size: int, compressed: int) -> None:
    """Raises BadInput for a member that is too large to be a table of a dump."""
    if size > MOST_BYTES or (size > RATIO_FROM and size > MOST_RATIO * max(compressed, 1)):
        raise BadInput(
            f"{archive}: {name} claims {size:,} bytes from {compressed:,}: more than a dump has "
            f"(at most {MOST_BYTES:,}, and {MOST_RATIO} times its compressed size)"
        )


def inflate_checked(raw: BinaryIO, member: Member, deflated: bool, content: Content) -> Iterator[tuple[bytes, bytes]]:
    """The member's bytes as they are, and inflated, in turns: pairs of which one is empty. `content` is told of them.

    Raises BadInput unless size and CRC are as declared.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS) if deflated else None
    try:
        while chunk := raw.read(CHUNK):
            yield chunk, b""
            for plain in _inflated(inflater, chunk) if inflater else (chunk,):
                content.add(plain)
                if content.size > member.bytes or (inflater and inflater.unused_data):
                    raise BadInput(
                        f"{member.name} is larger than the {member.bytes:,} bytes it declares: do not use it"
                    )
                yield b"", plain
        if inflater:
            plain = inflater.flush()
            content.add(plain)
            yield b"", plain
    except zlib.error as error:
        raise BadInput(f"{member.name} is corrupt ({error}): fetch the dump again") from error
    whole = inflater is None or inflater.eof
    if not whole or content.size != member.bytes or content.crc32 != member.crc32:
        raise BadInput(
            f"{member.name} is cut or corrupt ({content.size:,} bytes, CRC {content.crc32:08x}; expected "
            f"{member.bytes:,}, {member.crc32:08x}): fetch the dump again"
        )


def _inflated(inflater: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    """What a chunk inflates to, in pieces: a MB may hold a GB."""
    while chunk:
        yield inflater.decompress(chunk, CHUNK)
        chunk = inflater.unconsumed_tail


def gzip_around(raw: BinaryIO, member: Member, deflated: bool, out: BinaryIO) -> Content:
    """Writes a gzip file of a member, its deflate stream as it is, once verified. Raises BadInput."""
    compressor = None if deflated else zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    content = Content()
    out.write(GZIP_HEADER)
    for chunk, plain in inflate_checked(raw, member, deflated, content):
        out.write(compressor.compress(plain) if compressor else chunk)
    if compressor:
        out.write(compressor.flush())
    out.write(struct.pack("<II", member.crc32, member.bytes & 0xFFFFFFFF))
    return content
