"""The rate limit of the crates.io API: one request per second. Static files and the index have no limit."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

MIN_INTERVAL_S = 1.0  # from the end of one API response to the next request


class RateLimit:
    """Sends requests to URLs under `api_url` one at a time, `MIN_INTERVAL_S` apart. Threads may share one."""

    def __init__(self, api_url: str):
        self._api = urlsplit(api_url)
        self._lock = threading.Lock()
        self._next_request_at = 0.0

    @contextmanager
    def slot(self, url: str) -> Iterator[None]:
        """Waits until a request to `url` is allowed. The next API request waits for the end of this one."""
        if not self._is_limited(url):
            yield
            return
        with self._lock:
            time.sleep(max(0.0, self._next_request_at - time.monotonic()))
            try:
                yield
            finally:
                self._next_request_at = time.monotonic() + MIN_INTERVAL_S

    def _is_limited(self, url: str) -> bool:
        parts = urlsplit(url)
        is_under_api = f"{parts.path}/".startswith(f"{self._api.path.rstrip('/')}/")
        return is_under_api and parts.netloc.lower() == self._api.netloc.lower()
