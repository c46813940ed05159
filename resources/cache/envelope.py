"""What an entry looks like on a disk and in Redis: checked before it is read, and never code.

`magic | length of the header | header | payload | HMAC-SHA256, first 16 bytes`. The HMAC covers the key too, so an
entry that was changed, cut, or moved from another key, namespace, schema or level is no entry. Only then is anything
of it decoded. The payload is msgpack, or Arrow IPC for tables, with lz4 above 4 kB where that makes it smaller.
"""

import hashlib
import hmac
import struct
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import lz4.block
import msgspec
import pyarrow as pa

MAGIC = b"CRC1"
MOST_BYTES = 1 << 28  # of a value, unpacked
LEAST_TO_PACK = 4096
MAC_BYTES = 16
MSGPACK, ARROW = 1, 2

_LENGTH = struct.Struct(">4sH")
_encode = msgspec.msgpack.Encoder().encode


class NotAnEntry(Exception):
    """The bytes are not what was written under this key."""


class Header(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What is known of a payload. Times of life in ms, stamps in µs; `tags` with the versions they had."""

    level: str
    codec: int
    unpacked: int  # bytes; 0 if the payload is not packed
    wall: int
    boot: int
    boot_id: bytes
    soft: int
    hard: int
    tags: tuple[tuple[str, int], ...]


_read_header = msgspec.msgpack.Decoder(Header).decode


@dataclass(frozen=True, slots=True)
class Payload:
    """A value as bytes."""

    codec: int
    unpacked: int
    data: bytes

    @property
    def bytes(self) -> int:
        return len(self.data)


def payload_of(value: Any) -> Payload:
    """Raises TypeError for what msgpack and Arrow cannot hold, ValueError if it is too large."""
    if isinstance(value, pa.Table):
        codec, data = ARROW, _arrow(value)
    else:
        codec, data = MSGPACK, _encode(value)
    if len(data) > MOST_BYTES:
        raise ValueError(f"the value has {len(data):,} bytes, at most {MOST_BYTES:,} can be kept")
    if len(data) > LEAST_TO_PACK:
        packed = lz4.block.compress(data, store_size=False)
        if len(packed) < len(data) * 0.9:
            return Payload(codec, len(data), packed)
    return Payload(codec, 0, data)


def value_of(payload: Payload, kind: Any) -> Any:
    """The value, if it is of the type `kind`. Raises NotAnEntry."""
    try:
        data = payload.data
        if payload.unpacked:
            if payload.unpacked > MOST_BYTES:
                raise NotAnEntry(f"it unpacks to {payload.unpacked:,} bytes")
            data = lz4.block.decompress(data, uncompressed_size=payload.unpacked)
        if payload.codec == ARROW and kind is pa.Table:
            return pa.ipc.open_stream(data).read_all()
        if payload.codec == MSGPACK and kind is not pa.Table:
            return _decoder(kind)(data)
    except (msgspec.MsgspecError, lz4.block.LZ4BlockError, pa.ArrowException, ValueError, RecursionError) as error:
        raise NotAnEntry(str(error)) from error
    raise NotAnEntry(f"codec {payload.codec} is not that of {kind}")


def seal(secret: bytes, key: str, header: Header, payload: Payload) -> bytes:
    """The entry's bytes."""
    head = _encode(header)
    body = b"".join((_LENGTH.pack(MAGIC, len(head)), head, payload.data))
    return body + _mac(secret, key, body)


def unseal(secret: bytes, key: str, level: str, entry: bytes) -> tuple[Header, Payload]:
    """What was sealed under this key for this level. Raises NotAnEntry."""
    body, mac = entry[:-MAC_BYTES], entry[-MAC_BYTES:]
    if len(body) < _LENGTH.size or not hmac.compare_digest(_mac(secret, key, body), mac):
        raise NotAnEntry("it was not written here under this key")
    magic, length = _LENGTH.unpack_from(body)
    try:
        header = _read_header(body[_LENGTH.size : _LENGTH.size + length])
    except msgspec.MsgspecError as error:
        raise NotAnEntry(str(error)) from error
    if magic != MAGIC or header.level != level:
        raise NotAnEntry(f"it is of format {magic!r} and level {header.level!r}")
    return header, Payload(header.codec, header.unpacked, body[_LENGTH.size + length :])


def stamps() -> tuple[int, int, bytes]:
    """Now, by the wall clock and since the machine was started (µs), and which start that was."""
    return time.time_ns() // 1000, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000, _boot_id()


def age_of(header: Header) -> float | None:
    """Seconds since the entry was written on this machine; None if the clock cannot tell.

    Within one start of the machine by a clock that nobody can set; else by the wall clock.
    """
    wall, boot, boot_id = stamps()
    age = boot - header.boot if header.boot_id == boot_id else wall - header.wall
    return age / 1e6 if age >= 0 else None


@cache
def _boot_id() -> bytes:
    found = Path("/proc/sys/kernel/random/boot_id")
    return hashlib.sha256(found.read_bytes()).digest()[:8] if found.exists() else b""


@cache
def _decoder(kind: Any) -> Any:
    return msgspec.msgpack.Decoder(kind).decode


def _mac(secret: bytes, key: str, body: bytes) -> bytes:
    name = key.encode()
    return hmac.digest(secret, b"".join((len(name).to_bytes(4, "big"), name, body)), "sha256")[:MAC_BYTES]


def _arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
