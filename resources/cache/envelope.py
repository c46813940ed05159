"""The bytes of an entry on the disk and in Redis: verified before anything is decoded, and never code.

`magic | length of the header | header | payload | HMAC-SHA256, first 16 bytes`. The HMAC covers the key, so an entry
that was changed, cut, or moved from another key, namespace, version or level is rejected. The payload is msgpack,
compressed by lz4 above 4 kB where that saves a tenth.
"""

import functools
import hmac
import struct
from typing import Any, NamedTuple

import lz4.block
import msgspec

MAGIC = b"CRC2"
MAX_BYTES = 1 << 28  # of a value, uncompressed
MIN_TO_COMPRESS = 4096
MAC_BYTES = 16

Versions = tuple[tuple[str, int], ...]  # tags with the versions they had before the value was made

_PREFIX = struct.Struct(">4sH")
_encode = msgspec.msgpack.Encoder().encode


class InvalidEntry(Exception):
    """The bytes are not what was written under this key."""


class Header(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """`uncompressed`: bytes, 0 if the payload is not compressed. `written`: µs since 1970 on the machine that wrote.
    `age`, `ttl`, `life`: ms since the value was made, ms it is fresh, ms it can be served at all."""

    level: str
    uncompressed: int
    written: int
    age: int
    ttl: int
    life: int
    versions: Versions


class Payload(NamedTuple):
    """A value as bytes."""

    data: bytes
    uncompressed: int


_decode_header = msgspec.msgpack.Decoder(Header).decode


def encode(value: Any) -> Payload:
    """Raises TypeError for what msgpack cannot hold, ValueError for a value above MAX_BYTES."""
    data = _encode(value)
    if len(data) > MAX_BYTES:
        raise ValueError(f"the value has {len(data):,} bytes, expected at most {MAX_BYTES:,}")
    if len(data) > MIN_TO_COMPRESS:
        compressed = lz4.block.compress(data, store_size=False)
        if len(compressed) < len(data) * 0.9:
            return Payload(compressed, len(data))
    return Payload(data, 0)


def decode(payload: Payload, kind: Any) -> Any:
    """The value, of the type `kind`. Raises InvalidEntry."""
    data, uncompressed = payload
    try:
        if uncompressed:
            if uncompressed > MAX_BYTES:
                raise InvalidEntry(f"it uncompresses to {uncompressed:,} bytes")
            data = lz4.block.decompress(data, uncompressed_size=uncompressed)
        return _decoder(kind)(data)
    except (msgspec.MsgspecError, lz4.block.LZ4BlockError, ValueError, RecursionError) as error:
        raise InvalidEntry(str(error)) from error


def seal(secret: bytes, key: str, header: Header, payload: Payload) -> bytes:
    """The bytes of an entry."""
    head = _encode(header)
    body = b"".join((_PREFIX.pack(MAGIC, len(head)), head, payload.data))
    return body + _mac(secret, key, body)


def unseal(secret: bytes, key: str, level: str, sealed: bytes) -> tuple[Header, Payload]:
    """What was sealed under this key for this level. Raises InvalidEntry."""
    body, mac = sealed[:-MAC_BYTES], sealed[-MAC_BYTES:]
    if len(body) < _PREFIX.size or not hmac.compare_digest(_mac(secret, key, body), mac):
        raise InvalidEntry("it was not written under this key with this secret")
    magic, length = _PREFIX.unpack_from(body)
    end = _PREFIX.size + length
    try:
        header = _decode_header(body[_PREFIX.size : end])
    except msgspec.MsgspecError as error:
        raise InvalidEntry(str(error)) from error
    if magic != MAGIC or header.level != level:
        raise InvalidEntry(f"its format is {magic!r}, its level {header.level!r}")
    return header, Payload(body[end:], header.uncompressed)


@functools.cache
def _decoder(kind: Any) -> Any:
    return msgspec.msgpack.Decoder(kind).decode


def _mac(secret: bytes, key: str, body: bytes) -> bytes:
    name = key.encode()
    return hmac.digest(secret, b"".join((len(name).to_bytes(4, "big"), name, body)), "sha256")[:MAC_BYTES]
