"""The format of entries on the disk and in Redis: signed msgpack, verified before it is decoded.

`magic | length of the header | header | payload | HMAC-SHA256, first 16 bytes`. The HMAC covers the key, so an entry
that was changed, truncated, or number from another key, namespace, version or level is rejected. A payload above 4 kB
is compressed by lz4 if that saves 10 %.
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

Versions = tuple[tuple[str, int], ...]  # tags with their versions before the factory was called

_PREFIX = struct.Struct(">4sH")
_encode = msgspec.msgpack.Encoder().encode


class InvalidEntry(Exception):
    """The bytes were not written under this key, or are damaged."""


class Header(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """`uncompressed`: bytes, 0 if the payload is not compressed. `written`: µs since 1970, by the writer's clock.
    `age`: ms since the factory returned, at the time of writing. `ttl`, `life`: ms after that during which the value
    is fresh and can be served."""

    level: str
    uncompressed: int
    written: int
    age: int
    ttl: int
    life: int
    versions: Versions


class Payload(NamedTuple):
    """A value as bytes. `uncompressed`: its size before compression, 0 if it is not compressed."""

    data: bytes
    uncompressed: int


_decode_header = msgspec.msgpack.Decoder(Header).decode


def encode(value: Any) -> Payload:
    """Encodes a value. Raises TypeError if msgpack cannot represent it, ValueError above MAX_BYTES."""
    data = _encode(value)
    if len(data) > MAX_BYTES:
        raise ValueError(f"the value has {len(data):,} bytes, expected at most {MAX_BYTES:,}")
    if len(data) > MIN_TO_COMPRESS:
        compressed = lz4.block.compress(data, store_size=False)
        if len(compressed) < len(data) * 0.9:
            return Payload(compressed, len(data))
    return Payload(data, 0)


def decode(payload: Payload, kind: Any) -> Any:
    """Decodes a value of the type `kind`. Raises InvalidEntry."""
    data, uncompressed = payload
    try:
        if uncompressed:
            if uncompressed > MAX_BYTES:
                raise InvalidEntry(f"it has {uncompressed:,} bytes uncompressed, expected at most {MAX_BYTES:,}")
            data = lz4.block.decompress(data, uncompressed_size=uncompressed)
        return _decoder(kind)(data)
    except (msgspec.MsgspecError, lz4.block.LZ4BlockError, ValueError, RecursionError) as error:
        raise InvalidEntry(str(error)) from error


def seal(secret: bytes, key: str, header: Header, payload: Payload) -> bytes:
    """Returns the signed bytes of an entry."""
    head = _encode(header)
    body = b"".join((_PREFIX.pack(MAGIC, len(head)), head, payload.data))
    return body + _mac(secret, key, body)


def unseal(secret: bytes, key: str, level: str, sealed: bytes) -> tuple[Header, Payload]:
    """Verifies the signature, key and level of an entry; returns its header and payload. Raises InvalidEntry."""
    body, mac = sealed[:-MAC_BYTES], sealed[-MAC_BYTES:]
    if len(body) < _PREFIX.size or not hmac.compare_digest(_mac(secret, key, body), mac):
        raise InvalidEntry("the signature does not match this key and secret")
    magic, length = _PREFIX.unpack_from(body)
    end = _PREFIX.size + length
    try:
        header = _decode_header(body[_PREFIX.size : end])
    except msgspec.MsgspecError as error:
        raise InvalidEntry(str(error)) from error
    if magic != MAGIC or header.level != level:
        raise InvalidEntry(f"format {magic!r}, level {header.level!r}: expected {MAGIC!r}, {level!r}")
    return header, Payload(body[end:], header.uncompressed)


@functools.cache
def _decoder(kind: Any) -> Any:
    return msgspec.msgpack.Decoder(kind).decode


def _mac(secret: bytes, key: str, body: bytes) -> bytes:
    name = key.encode()
    return hmac.digest(secret, b"".join((len(name).to_bytes(4, "big"), name, body)), "sha256")[:MAC_BYTES]
