"""The HTTP client of the project: follows the crates.io data access policy, retries, and continues downloads.

The policy (https://crates.io/data-access) holds for every caller: a User-Agent with a contact, at most one request a
second to the API, no limit on static files and the index.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import requests

from resources.common.errors import BadInput
from resources.common.http.ranges import append_range, appending, file_size, read_range
from resources.common.http.responses import (
    CachedResponse,
    RemoteFile,
    Response,
    ResponseCache,
    refuse_web_page,
    unexpected_status,
)
from resources.common.http.retries import with_retries
from resources.common.http.transport import Transport

API_URL = "https://crates.io/api/v1"
ABSENT_STATUSES = {404, 410, 451}


class HttpClient(Transport):
    """GET and HEAD for crates.io and its mirrors. Threads may share one; each process has its own rate limit.

    Every method raises BadInput if the URL, the response or the request is invalid, and SourceUnreachable if the server
    failed `MAX_ATTEMPTS` times in a row. `requests` counts the requests, `bytes_fetched` the bytes of their bodies.
    """

    def __init__(
        self,
        contact: str | None,
        api_url: str = API_URL,
        timeout_s: float = 60.0,
        cache: ResponseCache | None = None,
    ):
        """`contact` is an e-mail address or web page, None for servers that need none; `timeout_s` the read timeout;
        `cache` stores the bodies that `get` returned. Raises BadInput."""
        super().__init__(contact, api_url, timeout_s)
        self._cache = cache

    def get(self, url: str, *, max_bytes: int, etag: str | None = None, last_modified: str | None = None) -> Response:
        """A small file; 304 if the validators still match. Raises BadInput if it has more than `max_bytes`.

        Without validators, those of the cached body are sent, and it is returned if the server answers 304.
        """
        cached = self._cache.get(url) if self._cache is not None and not (etag or last_modified) else None
        if cached is not None and len(cached.body) <= max_bytes:
            etag, last_modified = cached.etag, cached.last_modified
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: value for name, value in validators.items() if value}
        response = with_retries(url, lambda: self._get(url, headers, max_bytes))
        if response.status == 304 and cached is not None:
            return Response(200, cached.body, response.etag, response.last_modified)
        if self._cache is not None and response.status == 200 and (response.etag or response.last_modified):
            self._cache.set(url, CachedResponse(response.body, response.etag, response.last_modified))
        return response

    def head(self, url: str) -> RemoteFile:
        """Size and validators of a file. Raises BadInput if it is absent or a web page."""
        return with_retries(url, lambda: self._head(url))

    def read_range(self, remote: RemoteFile, start: int, end: int) -> bytes:
        """The bytes [start, end). Raises SourceChanged if the file was replaced since `head`."""
        if start == end:
            return b""
        return with_retries(remote.url, partial(read_range, self, remote, start, end))

    def download(self, remote: RemoteFile, start: int, end: int, path: Path, progress: Callable[[int], None]) -> None:
        """Fetches the bytes [start, end) into `path`, continuing after the bytes that it has already.

        `progress` is called with the size of `path` in bytes (which falls back to 0 if the server ignores ranges). On
        failure `path` keeps what was fetched, and the next call continues: the caller makes sure that `path` belongs to
        this `remote`. Raises SourceChanged, BadInput, SourceUnreachable and CannotWrite.
        """
        while (size := file_size(path)) < end - start:
            # each round has its own attempts: only failures in a row without progress count
            with_retries(remote.url, partial(append_range, self, remote, start, end, path, progress))
        if size > end - start:
            raise BadInput(f"{path} has {size} bytes, expected at most {end - start}: it is another file, delete it")
        with appending(path, size):
            progress(size)

    def _get(self, url: str, headers: dict[str, str], max_bytes: int) -> Response:
        with self.open("GET", url, headers) as response:
            status = 404 if response.status_code in ABSENT_STATUSES else response.status_code
            if not (status in (200, 404) or (status == 304 and headers)):
                raise unexpected_status(response)
            body = self._read_body(response, max_bytes) if status == 200 else b""
            etag = response.headers.get("ETag", headers.get("If-None-Match"))
            last_modified = response.headers.get("Last-Modified", headers.get("If-Modified-Since"))
            return Response(status, body, etag, last_modified)

    def _read_body(self, response: requests.Response, max_bytes: int) -> bytes:
        """The whole body, decompressed if the server compressed it. Raises BadInput beyond `max_bytes`."""
        body = bytearray()
        announced = response.raw.length_remaining or 0
        chunks = self.chunks(response, decode=True)
        while announced <= max_bytes and len(body) <= max_bytes:
            chunk = next(chunks, None)
            if chunk is None:
                return bytes(body)
            body += chunk
        raise BadInput(
            f"{response.url} has {max(announced, len(body))} or more bytes, expected at most {max_bytes}: check the URL"
        )

    def _head(self, url: str) -> RemoteFile:
        with self.open("HEAD", url, {}) as response:
            if response.status_code != 200:
                raise unexpected_status(response)
            refuse_web_page(response)
            size = response.headers.get("Content-Length", "")
            if not size.isdecimal():
                raise BadInput(f"{response.url} sends no Content-Length: use another server")
            return RemoteFile(
                url=response.url,
                bytes=int(size),
                etag=response.headers.get("ETag"),
                last_modified=response.headers.get("Last-Modified"),
                accepts_ranges=response.headers.get("Accept-Ranges") == "bytes",
            )
