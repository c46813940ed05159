"""The return types of the HTTP client, and the checks of responses."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import msgspec
import requests

from resources.common.errors import BadInput, SourceUnreachable


class SourceChanged(BadInput):
    """The file was replaced on the server after `head`: bytes that were read before belong to the old file."""


@dataclass(frozen=True)
class Response:
    """A response to `get`: status 200 with a body, 304 (not modified) or 404 (absent) without a body."""

    status: int
    body: bytes
    etag: str | None
    last_modified: str | None


class CachedResponse(msgspec.Struct, frozen=True):
    """A body with its validators: the server sends it again only if it has changed."""

    body: bytes
    etag: str | None
    last_modified: str | None


class ResponseCache(Protocol):
    """Stores responses by URL."""

    def get(self, url: str, /) -> CachedResponse | None: ...

    def set(self, url: str, response: CachedResponse, /) -> object: ...


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server when `head` was called: its URL after redirects, its size in bytes and its validators."""

    url: str
    bytes: int
    etag: str | None
    last_modified: str | None
    accepts_ranges: bool


def redirect_target(url: str, location: str) -> str:
    """The absolute URL of a redirect. Raises BadInput if it is invalid or leads from https to another scheme."""
    try:
        target = urljoin(url, location)
        leaves_https = urlsplit(url).scheme == "https" != urlsplit(target).scheme
    except ValueError as error:
        raise BadInput(f"{url} redirects to {location!r}, an invalid URL ({error}): check the URL") from error
    if leaves_https:
        raise BadInput(f"{url} redirects to {target}, which is not https: use another server")
    return target


def unexpected_status(response: requests.Response) -> Exception:
    """The error for a status that no caller handles."""
    found = f"{response.url} answered {response.status_code} {response.reason}"
    if response.status_code >= 500:
        return SourceUnreachable(f"{found}: try again later")
    if response.status_code == 403:
        return BadInput(f"{found}: check the URL, and that CRATES_CONTACT is your e-mail address or web page")
    return BadInput(f"{found}: check the URL")


def no_ranges(remote: RemoteFile) -> BadInput:
    """The error for a server that sends whole files only."""
    return BadInput(f"{remote.url}: the server does not support range requests: use another server")


def refuse_web_page(response: requests.Response) -> None:
    """Raises BadInput if the response is an HTML page."""
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise BadInput(f"{response.url} is a web page, not a file: check the URL and any proxy in between")


def refuse_changed(response: requests.Response, remote: RemoteFile) -> None:
    """Raises SourceChanged if the response (200, 206 or 416) is about another version of the file."""
    headers = response.headers
    size = headers.get("Content-Length" if response.status_code == 200 else "Content-Range", "*").rpartition("/")[2]
    # mirrors of one file may differ in the date, so it counts only if there is no ETag
    etags = (remote.etag, headers.get("ETag"))
    known, found = etags if all(etags) else (remote.last_modified, headers.get("Last-Modified"))
    if (known and found and known != found) or size not in ("*", str(remote.bytes)):
        raise SourceChanged(
            f"{remote.url} was replaced on the server: it was {known} with {remote.bytes} bytes, and is now {found} "
            f"with {size} bytes: start again"
        )
    if response.status_code == 416:
        raise BadInput(f"{remote.url} has {remote.bytes} bytes: the requested range is beyond its end")


def refuse_excess(chunk: bytes, max_bytes: int, remote: RemoteFile) -> bytes:
    """The chunk. Raises BadInput if it has more than the `max_bytes` that are still expected."""
    if len(chunk) > max_bytes:
        raise BadInput(f"{remote.url} sent more bytes than requested: use another server")
    return chunk
