"""Byte ranges of a remote file, in memory or into a file that an interrupted download continues."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import requests

from resources.common.errors import BadInput, CannotWrite
from resources.common.http.responses import (
    RemoteFile,
    no_ranges,
    refuse_changed,
    refuse_excess,
    refuse_web_page,
    unexpected_status,
)
from resources.common.http.retries import RetryableError
from resources.common.http.transport import Transport

MIN_PROGRESS_BYTES = 1 << 20  # an attempt that fetched fewer counts as failed, which prevents a storm of tiny requests


def read_range(transport: Transport, remote: RemoteFile, start: int, end: int) -> bytes:
    """One attempt to read the bytes [start, end). Raises RetryableError if fewer came."""
    with _open_range(transport, remote, start, end) as response:
        if response.status_code != 206:
            raise no_ranges(remote)
        body = bytearray()
        for chunk in transport.chunks(response):
            body += refuse_excess(chunk, end - start - len(body), remote)
        if len(body) < end - start:
            raise RetryableError(f"sent {len(body)} of {end - start} bytes")
        return bytes(body)


def append_range(
    transport: Transport, remote: RemoteFile, start: int, end: int, path: Path, progress: Callable[[int], None]
) -> None:
    """One attempt to extend `path`, which holds the first bytes of [start, end).

    Raises RetryableError if the connection was lost, unless at least `MIN_PROGRESS_BYTES` new bytes came.
    """
    size = size_before = file_size(path)
    with _open_range(transport, remote, start + size, end) as response:
        is_whole_file = response.status_code == 200
        if is_whole_file:
            if (start, end) != (0, remote.bytes):
                raise no_ranges(remote)
            size = 0
        with appending(path, size) as file:
            try:
                for chunk in transport.chunks(response):
                    file.write(refuse_excess(chunk, end - start - size, remote))
                    size += len(chunk)
                    progress(size)
                if size < end - start:
                    raise RetryableError(f"sent {size} of {end - start} bytes")
            except RetryableError:
                if is_whole_file or size - size_before < MIN_PROGRESS_BYTES:
                    raise


@contextmanager
def _open_range(transport: Transport, remote: RemoteFile, start: int, end: int) -> Iterator[requests.Response]:
    """The response for a range of `remote`: 206 with exactly that range, or 200 with the whole file."""
    headers = {}
    if remote.accepts_ranges:
        headers["Range"] = f"bytes={start}-{end - 1}"
        # HTTP allows only a strong validator in If-Range: with a weak one the server would always send the whole file
        strong = remote.etag if remote.etag and not remote.etag.startswith("W/") else remote.last_modified
        if strong:
            headers["If-Range"] = strong
    with transport.open("GET", remote.url, headers) as response:
        if response.status_code not in (200, 206, 416):
            raise unexpected_status(response)
        refuse_web_page(response)
        refuse_changed(response, remote)
        found = response.headers.get("Content-Range")
        expected = f"bytes {start}-{end - 1}/{remote.bytes}"
        if response.status_code == 206 and found != expected:
            raise BadInput(f"{remote.url} sent {found!r}, expected {expected!r}: use another server")
        yield response


def file_size(path: Path) -> int:
    """The size of a file in bytes, 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


@contextmanager
def appending(path: Path, size: int) -> Iterator[BinaryIO]:
    """The file, truncated to `size` bytes and open for appending; fsynced at the end. Raises CannotWrite."""
    try:
        with path.open("ab") as file:
            file.truncate(size)
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CannotWrite(f"cannot write {path} ({error}): check free space and permissions") from error
