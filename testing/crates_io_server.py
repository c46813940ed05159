"""A local HTTP server that serves files like static.crates.io, injects faults and records its requests."""

import gzip
import hashlib
import re
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from http.server import BaseHTTPRequestHandler
from itertools import chain
from pathlib import Path, PurePosixPath
from socketserver import ThreadingTCPServer
from typing import Self

TYPES = {
    ".zip": "application/zip",
    ".gz": "application/gzip",
    ".crate": "application/gzip",
    ".xml": "text/xml",
    ".csv": "text/csv",
    ".json": "application/json",
    ".html": "text/html",
}
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
PIECE_BYTES = 1 << 16  # written at once
WEB_PAGE = b"<!doctype html><title>Sign in</title>"


@dataclass(frozen=True)
class Fault:
    """What is wrong with one response; nothing by default. Faults may be combined."""

    status: int | None = None  # instead of 200, with an empty body
    retry_after: str | None = None
    web_page: bool = False  # status 200 and text/html
    ignore_range: bool = False  # the whole file with status 200
    compressed: bool = False  # gzip, whatever Accept-Encoding says
    disconnect_after: int | None = None  # bytes of the body, then the connection is closed
    extra_bytes: int = 0  # sent after the range
    skip: int = 0  # first bytes of the range that are left out of body and Content-Range
    flip_at: int | None = None  # offset in the file of a byte with one flipped bit
    pause_s: float = 0.0  # after every `piece` bytes
    piece: int = PIECE_BYTES
    hang: bool = False  # no response until the client disconnects


@dataclass
class Request:
    """One request, and how many bytes of its response body were written to the connection so far."""

    at: float  # monotonic seconds
    method: str
    path: str
    headers: dict[str, str]
    bytes_sent: int = 0


@dataclass
class CratesIoServer:
    """Serves `files` by path inside a with block. `files`, `faults` and the rest may change at any time.

    Each request for a path, HEAD included, takes the first of `faults[path]`; `requests` are recorded in order.
    """

    files: dict[str, bytes | Path] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    ranges: bool = True
    etags: bool = True
    last_modified: datetime = datetime(2026, 11, 20, 2, 31, 5, tzinfo=UTC)  # of files given as bytes
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.site = self
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def requests_for(self, path: str, method: str = "GET") -> list[Request]:
        """The requests for a path, in order."""
        return [r for r in self.requests if (r.path, r.method) == (path, method)]

    def bytes_sent(self, path: str) -> int:
        """The bytes of all response bodies for a path."""
        return sum(r.bytes_sent for r in self.requests if r.path == path)


class _Server(ThreadingTCPServer):
    """Not HTTPServer, which looks up its own host name when it starts."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64
    site: CratesIoServer


@dataclass(frozen=True)
class _Body:
    """The file for a path: its bytes, their number, and the values of its headers."""

    source: bytes | Path
    size: int
    etag: str
    last_modified: datetime
    type: str

    def pieces(self, start: int, end: int, piece: int) -> Iterator[bytes]:
        """The bytes [start, end), `piece` at a time."""
        if isinstance(self.source, bytes):
            for at in range(start, end, piece):
                yield self.source[at : min(at + piece, end)]
            return
        with self.source.open("rb") as file:
            file.seek(start)
            for at in range(start, end, piece):
                yield file.read(min(piece, end - at))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body, written after the headers, would wait 40 ms
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: see `requests`."""

    def do_HEAD(self) -> None:
        self._respond()

    def do_GET(self) -> None:
        self._respond()

    def _respond(self) -> None:
        site = self.server.site
        self.record = Request(time.monotonic(), str(self.command), self.path, dict(self.headers.items()))
        site.requests.append(self.record)
        faults = site.faults.get(self.path)
        fault = faults.pop(0) if faults else Fault()
        if fault.hang:
            self.connection.recv(1)
            self.close_connection = True
        elif not self.headers.get("User-Agent"):
            self._empty(403)
        elif fault.status:
            self._empty(fault.status, {"Retry-After": fault.retry_after} if fault.retry_after else {})
        elif self.path in site.redirects:
            self._empty(302, {"Location": site.redirects[self.path]})
        elif self.path not in site.files:
            self._empty(404)
        else:
            self._file(fault)

    def _empty(self, status: int, headers: dict[str, str] | None = None) -> None:
        length = {} if status == 304 else {"Content-Length": "0"}
        self._head(status, {**length, **(headers or {})})

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _file(self, fault: Fault) -> None:
        site = self.server.site
        source = WEB_PAGE if fault.web_page else site.files[self.path]
        if fault.compressed:
            source = gzip.compress(source if isinstance(source, bytes) else source.read_bytes(), mtime=0)
        body = _body(source, "/page.html" if fault.web_page else self.path, site.last_modified)
        headers = {"Content-Type": body.type, "Last-Modified": format_datetime(body.last_modified, usegmt=True)}
        if site.etags:
            headers["ETag"] = body.etag
        if fault.compressed:
            headers["Content-Encoding"] = "gzip"
        if self._is_not_modified(body):
            self._empty(304, headers)
            return
        span = (0, body.size)
        if site.ranges and not fault.ignore_range:
            headers["Accept-Ranges"] = "bytes"
            span = self._span(body)
        if span is None:
            self._empty(416, {**headers, "Content-Range": f"bytes */{body.size}"})
        else:
            self._send(body, headers, span, fault)

    def _send(self, body: _Body, headers: dict[str, str], span: tuple[int, int], fault: Fault) -> None:
        start, end = span[0] + fault.skip, span[1]
        is_range = "Accept-Ranges" in headers and self._asks_range(body)
        if is_range:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{body.size}"
        self._head(206 if is_range else 200, {**headers, "Content-Length": str(end - start + fault.extra_bytes)})
        if self.command == "GET":
            try:
                self._write(body, start, end, fault)
            except OSError:  # the client disconnected
                self.close_connection = True

    def _write(self, body: _Body, start: int, end: int, fault: Fault) -> None:
        stop = end if fault.disconnect_after is None else min(end, start + fault.disconnect_after)
        at = start
        for piece in chain(body.pieces(start, stop, fault.piece), [bytes(fault.extra_bytes)]):
            if fault.flip_at is not None and at <= fault.flip_at < at + len(piece):
                flipped = bytearray(piece)
                flipped[fault.flip_at - at] ^= 1
                piece = bytes(flipped)
            self.record.bytes_sent += len(piece)  # before the write, after which the client may finish at once
            self.wfile.write(piece)
            at += len(piece)
            time.sleep(fault.pause_s)
        if fault.disconnect_after is not None:
            self.close_connection = True

    def _is_not_modified(self, body: _Body) -> bool:
        """Whether the client has this version of the file. If-None-Match takes precedence over If-Modified-Since."""
        tags = self.headers.get("If-None-Match")
        if tags is not None:
            return body.etag in [tag.strip() for tag in tags.split(",")]
        since = self.headers.get("If-Modified-Since")
        return since is not None and body.last_modified <= parsedate_to_datetime(since)

    def _asks_range(self, body: _Body) -> bool:
        condition = self.headers.get("If-Range")
        holds = condition in (None, body.etag, format_datetime(body.last_modified, usegmt=True))
        return holds and RANGE.fullmatch(self.headers.get("Range", "")) is not None

    def _span(self, body: _Body) -> tuple[int, int] | None:
        """The requested range as [start, end); None if it is not in the file."""
        requested = RANGE.fullmatch(self.headers.get("Range", ""))
        if not requested or not self._asks_range(body):
            return 0, body.size
        first, last = requested.groups()
        if not first:
            span = (max(0, body.size - int(last or 0)), body.size)
        else:
            span = (int(first), min(int(last) + 1 if last else body.size, body.size))
        return span if span[0] < span[1] else None


def _body(source: bytes | Path, path: str, last_modified: datetime) -> _Body:
    type_ = "application/json" if path.startswith("/api/") else TYPES.get(PurePosixPath(path).suffix, "text/plain")
    if isinstance(source, bytes):
        return _Body(source, len(source), f'"{hashlib.sha256(source).hexdigest()[:32]}"', last_modified, type_)
    stat = source.stat()
    modified = datetime.fromtimestamp(int(stat.st_mtime), UTC)
    return _Body(source, stat.st_size, _etag(source, stat.st_mtime_ns, stat.st_size), modified, type_)


@lru_cache
def _etag(path: Path, _mtime_ns: int, _size: int) -> str:
    """Hashes each version of a file once: a dump has gigabytes."""
    with path.open("rb") as file:
        return f'"{hashlib.file_digest(file, "sha256").hexdigest()[:32]}"'
