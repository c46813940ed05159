"""One HTTP request at a time: headers, redirects, timeouts, rate limit and counters."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from urllib3.exceptions import HTTPError

from resources.common.errors import BadInput
from resources.common.http.rate_limit import RateLimit
from resources.common.http.responses import redirect_target
from resources.common.http.retries import RetryableError, raise_if_retryable

CONNECT_TIMEOUT_S = 10.0
MAX_REDIRECTS = 5
CHUNK_BYTES = 1 << 18  # of a body in memory
CONTACT = re.compile(r"[^@\s()]+@[^@\s()]+\.[^@\s()]+|https?://[^\s()/]+\.[^\s()]+")


class Transport:
    """Sends requests. `requests` counts them, `bytes_fetched` the bytes of their bodies. Threads may share one."""

    def __init__(self, contact: str | None, api_url: str, timeout_s: float):
        if contact is not None and not (CONTACT.fullmatch(contact) and contact.isascii()):
            raise BadInput(
                f"the contact is {contact!r}, expected an e-mail address or an http(s) URL: set CRATES_CONTACT to your "
                "e-mail address or web page, as the crates.io data access policy demands"
            )
        self.requests = 0
        self.bytes_fetched = 0
        self._counter_lock = threading.Lock()
        self._rate_limit = RateLimit(api_url)
        self._timeouts = (CONNECT_TIMEOUT_S, timeout_s)
        self._session = requests.Session()
        # without compression, sizes and offsets mean the same on both sides
        comment = f" ({contact})" if contact is not None else ""
        self._session.headers.update({"User-Agent": f"rust-crate-pipeline/0.1{comment}", "Accept-Encoding": "identity"})

    @contextmanager
    def open(self, method: str, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """The response after redirects, its body unread. Raises RetryableError for a temporary failure."""
        hop = url
        for _ in range(MAX_REDIRECTS + 1):
            with self._send(method, hop, headers) as response:
                location = self._session.get_redirect_target(response)
                if location is None:
                    raise_if_retryable(response)
                    yield response
                    return
            hop = redirect_target(hop, location)
        raise BadInput(f"{url} has more than {MAX_REDIRECTS} redirects, the last to {hop}: check the URL")

    def chunks(self, response: requests.Response, decode: bool = False) -> Iterator[bytes]:
        """The body in pieces of at most `CHUNK_BYTES`. Raises RetryableError if the connection is lost."""
        while True:
            try:
                # not iter_content, which waits for full chunks and drops an incomplete last one
                chunk = response.raw.read1(CHUNK_BYTES, decode_content=decode)
            except (HTTPError, OSError) as error:
                raise RetryableError(f"lost the connection ({error})") from error
            if not chunk:
                return
            with self._counter_lock:
                self.bytes_fetched += len(chunk)
            yield chunk

    def _send(self, method: str, url: str, headers: dict[str, str]) -> requests.Response:
        try:
            with self._rate_limit.slot(url):
                with self._counter_lock:
                    self.requests += 1
                return self._session.request(
                    method, url, headers=headers, allow_redirects=False, stream=True, timeout=self._timeouts
                )
        except ValueError as error:  # raised by requests and the standard library for an invalid URL or header
            raise BadInput(f"cannot request {url!r} ({error}): check the URL") from error
        except (requests.RequestException, HTTPError) as error:
            raise RetryableError(f"no response ({error})") from error
