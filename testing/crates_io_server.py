"""A local server that serves files as static.crates.io does, fails on demand and remembers what it was asked."""

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
PIECE = 1 << 16  # bytes written at once
WEB_PAGE = b"<!doctype html><title>Sign in</title>"


@dataclass(frozen=True)
class Fault:
    """How one answer goes wrong; without arguments it does not. What fits together may be combined."""

    status: int | None = None  # instead of the file, with an empty body
    retry_after: str | None = None
    web_page: bool = False  # status 200 and text/html
    whole: bool = False  # as if ranges were unknown here
    encoded: bool = False  # gzip, though nobody asked for it
    cut_after: int | None = None  # bytes of the body, then the connection is closed
    more: int = 0  # bytes sent beyond the range
    skip: int = 0  # first bytes of the range left out, as Content-Range then says
    flip_at: int | None = None  # offset in the file of a byte with one bit wrong
    pause_s: float = 0.0  # after every `piece` bytes
    piece: int = PIECE
    hang: bool = False  # no answer until the client goes away


@dataclass
class Request:
    """One request as it came, and how many bytes of body were handed to the connection for it so far."""

    at: float  # monotonic seconds
    method: str
    path: str
    headers: dict[str, str]
    sent: int = 0


@dataclass
class CratesIoServer:
    """Serves `files` by path until the end of the with block. Change `files`, `faults` and so on at any time.

    `faults[path]` are used up one per request, HEAD too; `requests` are those that came, in order.
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

    def asked(self, path: str, method: str = "GET") -> list[Request]:
        """The requests for a path, in order."""
        return [r for r in self.requests if (r.path, r.method) == (path, method)]

    def sent(self, path: str) -> int:
        """The bytes of body sent for a path, all answers together."""
        return sum(r.sent for r in self.requests if r.path == path)


class _Server(ThreadingTCPServer):
    """Not http.server's: that one asks the name service for its own name when it starts."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64
    site: CratesIoServer


@dataclass(frozen=True)
class _Body:
    """What is served for a path: where its bytes are, how many, and what the headers say of them."""

    source: bytes | Path
    size: int
    etag: str
    last_modified: datetime
    type: str

    def pieces(self, start: int, end: int, piece: int) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, `piece` at a time."""
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
    disable_nagle_algorithm = True  # headers and body are written apart: the body would wait for 40 ms
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: object) -> None:
        """Silence: `requests` is the log."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        site = self.server.site
        self.record = Request(time.monotonic(), str(self.command), self.path, dict(self.headers.items()))
        site.requests.append(self.record)
        scripted = site.faults.get(self.path)
        fault = scripted.pop(0) if scripted else Fault()
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
        if fault.encoded:
            source = gzip.compress(source if isinstance(source, bytes) else source.read_bytes(), mtime=0)
        body = _body(source, "/page.html" if fault.web_page else self.path, site.last_modified)
        headers = {"Content-Type": body.type, "Last-Modified": format_datetime(body.last_modified, usegmt=True)}
        if site.etags:
            headers["ETag"] = body.etag
        if fault.encoded:
            headers["Content-Encoding"] = "gzip"
        if self._known(body):
            self._empty(304, headers)
            return
        span = (0, body.size)
        if site.ranges and not fault.whole:
            headers["Accept-Ranges"] = "bytes"
            span = self._span(body)
        if span is None:
            self._empty(416, {**headers, "Content-Range": f"bytes */{body.size}"})
        else:
            self._send(body, headers, span, fault)

    def _send(self, body: _Body, headers: dict[str, str], span: tuple[int, int], fault: Fault) -> None:
        start, end = span[0] + fault.skip, span[1]
        part = "Accept-Ranges" in headers and self._asks_range(body)
        if part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{body.size}"
        self._head(206 if part else 200, {**headers, "Content-Length": str(end - start + fault.more)})
        if self.command == "GET":
            try:
                self._write(body, start, end, fault)
            except OSError:  # the client has left
                self.close_connection = True

    def _write(self, body: _Body, start: int, end: int, fault: Fault) -> None:
        stop = end if fault.cut_after is None else min(end, start + fault.cut_after)
        at = start
        for piece in chain(body.pieces(start, stop, fault.piece), [bytes(fault.more)]):
            if fault.flip_at is not None and at <= fault.flip_at < at + len(piece):
                flipped = bytearray(piece)
                flipped[fault.flip_at - at] ^= 1
                piece = bytes(flipped)
            self.record.sent += len(piece)  # before: the client may be done as soon as it is written
            self.wfile.write(piece)
            at += len(piece)
            time.sleep(fault.pause_s)
        if fault.cut_after is not None:
            self.close_connection = True

    def _known(self, body: _Body) -> bool:
        """Whether the client has the file already; a tag, if sent, is all that counts."""
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
        """First byte and the one after the last; None if the range asked for is not in the file."""
        asked = RANGE.fullmatch(self.headers.get("Range", ""))
        if not asked or not self._asks_range(body):
            return 0, body.size
        first, last = asked.groups()
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
    """Hashed once for every state of the file: a dump has gigabytes."""
    with path.open("rb") as file:
        return f'"{hashlib.file_digest(file, "sha256").hexdigest()[:32]}"'
