"""The one way out to the network: polite to crates.io, bounded in time and bytes, able to go on after a cut.

The policy of https://crates.io/data-access is kept here, whoever calls: a User-Agent with a contact, at most one
request a second to the API, no limit on static files and the index.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec
import requests
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError
from urllib3.util.retry import RequestHistory, Retry

from resources.cache import Cache
from resources.common.errors import BadInput, CannotWrite, SourceUnreachable

API_URL = "https://crates.io/api/v1"
API_PAUSE_S = 1.0  # from one answer of the API to the next request: never more than one a second, however it travels
CONNECT_S = 10.0  # a server that is up accepts a connection far sooner
TRIES = 5  # about 8 s in all; longer outages are left to the scheduler's own retries
LONGEST_WAIT_S = 120.0  # a longer Retry-After is told instead of slept: a run asleep looks like one that hangs
MOST_REDIRECTS = 5
LEAST_GAIN = 1 << 20  # bytes; a cut after fewer new ones is a try without progress: no storm of tiny requests
KEEP_S = 30 * 86400.0
CHUNK = 1 << 18  # bytes; at most this much of a download is in memory

TEMPORARY = {429, 500, 502, 503, 504}
ABSENT = {404, 410, 451}
CONTACT = re.compile(r"[^@\s()]+@[^@\s()]+\.[^@\s()]+|https?://[^\s()/]+\.[^\s()]+")

# urllib3's Retry gives the reading of Retry-After, the backoff and its jitter. It lets the first retry through at
# once, so its history starts with one failure: the waits are 0.5, 1, 2 and 4 s, each with up to 0.5 s of jitter.
RETRY = Retry(
    total=TRIES - 1,
    backoff_factor=0.25,
    backoff_jitter=0.5,
    retry_after_max=366 * 86400,
    history=(RequestHistory(None, None, None, None, None),),
)

T = TypeVar("T")


class SourceChanged(BadInput):
    """The file was replaced on the server since `look`: what was read of it belongs to the old one."""


@dataclass(frozen=True)
class Answer:
    """What `get` found: status 200 with a body, 304 (as you know it) or 404 (absent) without."""

    status: int
    body: bytes
    etag: str | None
    last_modified: str | None


class KeptAnswer(msgspec.Struct, frozen=True):
    """A body that is asked for again with its validators: where they still hold it need not be sent."""

    body: bytes
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True)
class Remote:
    """A file on a server as it stood at `look`: its address after redirects, size in bytes and validators."""

    url: str
    bytes: int
    etag: str | None
    last_modified: str | None
    ranges: bool


class _Again(Exception):
    """A failure that may pass; `wait_s` is what the server asks for, 0 if it says nothing."""

    def __init__(self, reason: str, wait_s: float = 0):
        super().__init__(reason)
        self.wait_s = wait_s


class HttpClient:
    """GET and HEAD for crates.io and its mirrors. Threads may share one; two processes have two budgets of the API.

    Every call raises BadInput if the address, the answer or the request has to be mended, and SourceUnreachable if
    the server failed `TRIES` times in a row. `requests` counts every request sent, `bytes_fetched` bytes of bodies.
    """

    def __init__(
        self, contact: str | None, api_url: str = API_URL, timeout_s: float = 60.0, cache: Cache | None = None
    ):
        """`contact` is an e-mail address or web page, None for servers that ask for none; `timeout_s` the longest
        silence of a server; `cache` keeps what `get` found. Raises BadInput."""
        if contact is not None and not (CONTACT.fullmatch(contact) and contact.isascii()):
            raise BadInput(
                f"the contact is {contact!r}, expected an e-mail address or an http(s) URL: set CRATES_CONTACT to your "
                "e-mail address or web page: crates.io asks who is calling"
            )
        # the server says each time whether what is kept still holds, so nothing else can make it wrong
        self._kept = cache and cache.namespace("http", kind=KeptAnswer, ttl=KEEP_S, immutable=True)
        self.requests = 0
        self.bytes_fetched = 0
        self._counting = threading.Lock()
        self._api = urlsplit(api_url)
        self._api_turn = threading.Lock()
        self._api_free_at = 0.0
        self._timeouts = (CONNECT_S, timeout_s)
        self._session = requests.Session()
        # Bodies as they are stored: sizes and offsets then mean the same on both sides.
        caller = f" ({contact})" if contact is not None else ""
        self._session.headers.update({"User-Agent": f"rust-crate-pipeline/0.1{caller}", "Accept-Encoding": "identity"})

    def get(self, url: str, *, most_bytes: int, etag: str | None = None, last_modified: str | None = None) -> Answer:
        """A small file, whole; 304 if the validators still hold. Raises BadInput beyond `most_bytes`.

        Asked without validators, it is not sent again where the cache has it and the server says that it still holds.
        """
        kept = self._kept.get(url) if self._kept is not None and not (etag or last_modified) else None
        if kept is not None and len(kept.body) <= most_bytes:
            etag, last_modified = kept.etag, kept.last_modified
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        asked = {name: value for name, value in validators.items() if value}
        answer = _persist(url, lambda: self._get(url, asked, most_bytes))
        if answer.status == 304 and kept is not None:
            return Answer(200, kept.body, answer.etag, answer.last_modified)
        if self._kept is not None and answer.status == 200 and (answer.etag or answer.last_modified):
            self._kept.set(url, KeptAnswer(answer.body, answer.etag, answer.last_modified))
        return answer

    def look(self, url: str) -> Remote:
        """What the server says about a file, by HEAD. Raises BadInput if it is not there or a web page is."""
        return _persist(url, lambda: self._look(url))

    def read_range(self, remote: Remote, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`. Raises SourceChanged if the file is no longer the one looked at."""
        if start == end:
            return b""
        return _persist(remote.url, lambda: self._read_range(remote, start, end))

    def download(self, remote: Remote, start: int, end: int, path: Path, progress: Callable[[int], None]) -> None:
        """Fetches the bytes from `start` to before `end` into `path`, going on behind what is there already.

        `progress` is told the size of `path` in bytes as it grows (it starts anew where a server gives no ranges).
        On any failure `path` keeps what came, so that the next call goes on from there: the caller sees to it that
        `path` belongs to this `remote`. Raises SourceChanged, BadInput, SourceUnreachable and CannotWrite.
        """
        while (have := _size(path)) < end - start:
            # Each turn has its own tries: only those in a row that gain nothing count.
            _persist(remote.url, lambda: self._append(remote, start, end, path, progress))
        if have > end - start:
            raise BadInput(
                f"{path} has {have} bytes, more than the {end - start} asked for: it is of another file, delete it"
            )
        with _appending(path, have):
            progress(have)

    def _get(self, url: str, asked: dict[str, str], most_bytes: int) -> Answer:
        with self._open("GET", url, asked) as response:
            status = 404 if response.status_code in ABSENT else response.status_code
            if not (status in (200, 404) or (status == 304 and asked)):
                raise _unexpected(response)
            body = self._bounded_body(response, most_bytes) if status == 200 else b""
            etag = response.headers.get("ETag", asked.get("If-None-Match"))
            return Answer(status, body, etag, response.headers.get("Last-Modified", asked.get("If-Modified-Since")))

    def _bounded_body(self, response: requests.Response, most_bytes: int) -> bytes:
        body = bytearray()
        announced = response.raw.length_remaining or 0
        # A server may encode what it was asked to send as it is: the bound holds for what comes out.
        chunks = self._chunks(response, decode=True)
        while announced <= most_bytes and len(body) <= most_bytes:
            chunk = next(chunks, None)
            if chunk is None:
                return bytes(body)
            body += chunk
        raise BadInput(
            f"{response.url} has {max(announced, len(body))} bytes or more, expected at most {most_bytes}: "
            "check that the address is that of the file you mean"
        )

    def _look(self, url: str) -> Remote:
        with self._open("HEAD", url, {}) as response:
            if response.status_code != 200:
                raise _unexpected(response)
            _refuse_web_page(response)
            size = response.headers.get("Content-Length", "")
            if not size.isdecimal():
                raise BadInput(f"{response.url} does not say how long it is: take the file from another server")
            return Remote(
                url=response.url,
                bytes=int(size),
                etag=response.headers.get("ETag"),
                last_modified=response.headers.get("Last-Modified"),
                ranges=response.headers.get("Accept-Ranges") == "bytes",
            )

    def _read_range(self, remote: Remote, start: int, end: int) -> bytes:
        with self._open_part(remote, start, end) as response:
            if response.status_code != 206:
                raise _no_parts(remote)
            body = bytearray()
            for chunk in self._chunks(response):
                body += _within(chunk, end - start - len(body), remote)
            if len(body) < end - start:
                raise _Again(f"sent {len(body)} of {end - start} bytes")
            return bytes(body)

    def _append(self, remote: Remote, start: int, end: int, path: Path, progress: Callable[[int], None]) -> None:
        """One request's worth of a download. Raises _Again after a cut, unless enough came to ask on at once."""
        have = before = _size(path)
        with self._open_part(remote, start + have, end) as response:
            whole = response.status_code == 200
            if whole:
                if (start, end) != (0, remote.bytes):
                    raise _no_parts(remote)
                have = 0
            with _appending(path, have) as file:
                try:
                    for chunk in self._chunks(response):
                        file.write(_within(chunk, end - start - have, remote))
                        have += len(chunk)
                        progress(have)
                    if have < end - start:
                        raise _Again(f"sent {have} of {end - start} bytes")
                except _Again:
                    if whole or have - before < LEAST_GAIN:
                        raise

    @contextmanager
    def _open_part(self, remote: Remote, start: int, end: int) -> Iterator[requests.Response]:
        """The answer for a range of the file looked at: 206 with just that range, or 200 if only whole files come."""
        headers = {}
        if remote.ranges:
            headers["Range"] = f"bytes={start}-{end - 1}"
            # HTTP allows only a strong tag here: a weak one would always give the whole file.
            strong = remote.etag if remote.etag and not remote.etag.startswith("W/") else remote.last_modified
            if strong:
                headers["If-Range"] = strong
        with self._open("GET", remote.url, headers) as response:
            if response.status_code not in (200, 206, 416):
                raise _unexpected(response)
            _refuse_web_page(response)
            _refuse_changed(response, remote)
            given = response.headers.get("Content-Range")
            expected = f"bytes {start}-{end - 1}/{remote.bytes}"
            if response.status_code == 206 and given != expected:
                raise BadInput(f"{remote.url} sent {given!r}, expected {expected!r}: take it from another server")
            yield response

    @contextmanager
    def _open(self, method: str, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """The answer with its body unread, after redirects. Raises _Again if it is of the kind that passes."""
        hop = url
        for _ in range(MOST_REDIRECTS + 1):
            with self._ask(method, hop, headers) as response:
                location = self._session.get_redirect_target(response)
                if location is None:
                    _raise_temporary(response)
                    yield response
                    return
            hop = _next_hop(hop, location)
        raise BadInput(f"{url} leads through more than {MOST_REDIRECTS} redirects, last to {hop}: check the address")

    def _ask(self, method: str, url: str, headers: dict[str, str]) -> requests.Response:
        try:
            with self._turn(url):
                with self._counting:
                    self.requests += 1
                return self._session.request(
                    method, url, headers=headers, allow_redirects=False, stream=True, timeout=self._timeouts
                )
        except ValueError as error:  # what the standard library and requests raise for what cannot be sent
            raise BadInput(f"{url!r} cannot be asked for ({error}): check the address") from error
        except (requests.RequestException, HTTPError) as error:
            raise _Again(f"no answer ({error})") from error

    @contextmanager
    def _turn(self, url: str) -> Iterator[None]:
        """Waits for the turn of a request; those to the API go one at a time, `API_PAUSE_S` apart."""
        parts = urlsplit(url)
        under = f"{parts.path}/".startswith(f"{self._api.path.rstrip('/')}/")
        if not (under and parts.netloc.lower() == self._api.netloc.lower()):
            yield
            return
        with self._api_turn:
            time.sleep(max(0.0, self._api_free_at - time.monotonic()))
            try:
                yield
            finally:
                self._api_free_at = time.monotonic() + API_PAUSE_S

    def _chunks(self, response: requests.Response, decode: bool = False) -> Iterator[bytes]:
        """The body as it comes, in pieces of at most `CHUNK` bytes. Raises _Again if it is cut."""
        while True:
            try:
                # Not iter_content: that waits for whole chunks, and a cut loses the last one.
                chunk = response.raw.read1(CHUNK, decode_content=decode)
            except (HTTPError, OSError) as error:
                raise _Again(f"cut while sending ({error})") from error
            if not chunk:
                return
            with self._counting:
                self.bytes_fetched += len(chunk)
            yield chunk


def _persist(url: str, attempt: Callable[[], T]) -> T:
    """The result of `attempt`, tried again after each _Again. Raises SourceUnreachable after `TRIES` of them."""
    retry = RETRY
    while True:
        try:
            return attempt()
        except _Again as again:
            try:
                retry = retry.increment("GET", url, error=again)
            except MaxRetryError:
                raise SourceUnreachable(f"{url}: {again}, after {TRIES} tries: try again later") from again
            time.sleep(again.wait_s or retry.get_backoff_time())


def _next_hop(url: str, location: str) -> str:
    """Where a redirect leads. Raises BadInput if that is no address or leaves https."""
    try:
        target = urljoin(url, location)
        leaves_https = urlsplit(url).scheme == "https" != urlsplit(target).scheme
    except ValueError as error:
        raise BadInput(f"{url} leads to {location!r}, which is no address ({error}): check the address") from error
    if leaves_https:
        raise BadInput(f"{url} leads to {target}, which is not https: anyone on the way could change the file")
    return target


def _raise_temporary(response: requests.Response) -> None:
    """Raises _Again for an answer that may be another one later, BadInput if that is too long to wait for."""
    if response.status_code not in TEMPORARY:
        return
    try:
        wait_s = RETRY.parse_retry_after(response.headers.get("Retry-After", "0"))
    except InvalidHeader:
        wait_s = 0.0
    if wait_s > LONGEST_WAIT_S:
        back = (datetime.now(UTC) + timedelta(seconds=wait_s)).strftime("%Y-%m-%d %H:%M:%S UTC")
        raise BadInput(f"{response.url} answered {response.status_code} and asks to wait: come back after {back}")
    raise _Again(f"answered {response.status_code} {response.reason}", wait_s)


def _unexpected(response: requests.Response) -> Exception:
    found = f"{response.url} answered {response.status_code} {response.reason}"
    if response.status_code >= 500:
        return SourceUnreachable(f"{found}: try again later")
    if response.status_code == 403:
        return BadInput(f"{found}: check the address, and that CRATES_CONTACT says who you are")
    return BadInput(f"{found}: check the address")


def _no_parts(remote: Remote) -> BadInput:
    return BadInput(f"{remote.url}: the server gives no parts of files: take the whole file, or another server")


def _within(chunk: bytes, room: int, remote: Remote) -> bytes:
    """The chunk. Raises BadInput if it is larger than what is still expected."""
    if len(chunk) > room:
        raise BadInput(f"{remote.url} sent more bytes than it was asked for: take the file from another server")
    return chunk


def _refuse_web_page(response: requests.Response) -> None:
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise BadInput(f"got a web page, not a file: {response.url}: check the address, and any proxy on the way")


def _refuse_changed(response: requests.Response, remote: Remote) -> None:
    """Raises SourceChanged if the answer (200, 206 or 416) is not about the file that was looked at."""
    headers = response.headers
    size = headers.get("Content-Length" if response.status_code == 200 else "Content-Range", "*").rpartition("/")[2]
    # The date counts only where there is no tag: servers of one file may differ in it.
    tag = (remote.etag, headers.get("ETag"))
    known, found = tag if all(tag) else (remote.last_modified, headers.get("Last-Modified"))
    if (known and found and known != found) or size not in ("*", str(remote.bytes)):
        raise SourceChanged(
            f"{remote.url} was replaced on the server (it was {known} of {remote.bytes} bytes, "
            f"it is {found} of {size}): start again with the new file"
        )
    if response.status_code == 416:
        raise BadInput(f"{remote.url} refuses the range asked for: it has {remote.bytes} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _appending(path: Path, size: int) -> Iterator[BinaryIO]:
    """The file, cut to `size`, to write behind; on disk when done. Raises CannotWrite if the disk refuses."""
    try:
        with path.open("ab") as file:
            file.truncate(size)
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written ({error}): see to free space and permissions") from error
