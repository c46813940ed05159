"""What holds for every member of a dump's archive, zip or tar: trusted names, bounded sizes, checked bytes."""

import struct
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from resources.errors import BadInput

CHUNK = 1 << 20
# the largest table of today's dump has some 4 GB; ten times that is no dump of crates.io any more
MOST_BYTES = 40_000_000_000
# deflate reaches 1,000 on zeros and some 10 on CSV; the allowance keeps small members out of it
MOST_RATIO, RATIO_FROM = 200, 1_000_000
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True)
class Member:
    """One file of an archive as the archive declares it."""

    name: str
    crc32: int
    bytes: int
    compressed_bytes: int


def check_name(archive: str, name: str, seen: Container[str]) -> None:
    """Raises BadInput for a name that stands twice or leads out of the archive."""
    if name in seen:
        raise BadInput(f"{archive}: {name} stands twice: which one is meant cannot be known; fetch it again")
    parts = name.replace("\\", "/").split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or "\0" in name:
        raise BadInput(f"{archive}: the name {name[:100]!r} leads out of the archive: do not use it")


def check_size(archive: str, name: str, size: int, compressed: int) -> None:
    """Raises BadInput for a member that is too large to be a table of a dump."""
    if size > MOST_BYTES or (size > RATIO_FROM and size > MOST_RATIO * max(compressed, 1)):
        raise BadInput(
            f"{archive}: {name} claims {size:,} bytes from {compressed:,}: more than a dump has "
            f"(at most {MOST_BYTES:,}, and {MOST_RATIO} times its compressed size)"
        )


def inflate_checked(raw: BinaryIO, member: Member, deflated: bool) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of compressed and plain chunks. Raises BadInput unless size and CRC are as declared."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS) if deflated else None
    crc, size = 0, 0
    try:
        while chunk := raw.read(CHUNK):
            plain = chunk
            if inflater:
                # never more than declared, and one byte to see that there is more
                plain = inflater.decompress(chunk, member.bytes - size + 1)
            crc, size = zlib.crc32(plain, crc), size + len(plain)
            if size > member.bytes or (inflater and (inflater.unconsumed_tail or inflater.unused_data)):
                raise BadInput(f"{member.name} is larger than the {member.bytes:,} bytes it declares: do not use it")
            yield chunk, plain
        if inflater:
            plain = inflater.flush()
            crc, size = zlib.crc32(plain, crc), size + len(plain)
            yield b"", plain
    except zlib.error as error:
        raise BadInput(f"{member.name} is corrupt ({error}): fetch the dump again") from error
    whole = inflater is None or inflater.eof
    if not whole or size != member.bytes or crc != member.crc32:
        raise BadInput(
            f"{member.name} is cut or corrupt ({size:,} bytes, CRC {crc:08x}; expected {member.bytes:,}, "
            f"{member.crc32:08x}): fetch the dump again"
        )


def gzip_around(raw: BinaryIO, member: Member, deflated: bool, out: BinaryIO) -> None:
    """Writes a gzip file of a member: its deflate stream as it is, once verified. Raises BadInput."""
    compressor = None if deflated else zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    out.write(GZIP_HEADER)
    for chunk, plain in inflate_checked(raw, member, deflated):
        out.write(compressor.compress(plain) if compressor else chunk)
    if compressor:
        out.write(compressor.flush())
    out.write(struct.pack("<II", member.crc32, member.bytes & 0xFFFFFFFF))
