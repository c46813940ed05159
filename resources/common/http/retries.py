"""Retries of HTTP requests: exponential backoff with jitter, and the server's own Retry-After."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import requests
from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util.retry import RequestHistory, Retry

from resources.common.errors import BadInput, SourceUnreachable

MAX_ATTEMPTS = 5  # about 8 s in all; longer outages are left to the scheduler's retries
MAX_RETRY_AFTER_S = 120.0  # a longer Retry-After is reported, not slept: a sleeping run looks like one that hangs
RETRYABLE_STATUSES = {429, 500, 502, 503, 504}

# urllib3's Retry parses Retry-After and computes the backoff with jitter. It does not wait before the first retry, so
# its history starts with one failure: the waits are 0.5, 1, 2 and 4 s, each with up to 0.5 s of jitter.
_RETRY = Retry(
    total=MAX_ATTEMPTS - 1,
    backoff_factor=0.25,
    backoff_jitter=0.5,
    retry_after_max=366 * 86400,
    history=(RequestHistory(None, None, None, None, None),),
)

T = TypeVar("T")


class RetryableError(Exception):
    """A failure that may pass. `wait_s` is the server's Retry-After in seconds, 0 if it sent none."""

    def __init__(self, reason: str, wait_s: float = 0):
        super().__init__(reason)
        self.wait_s = wait_s


def with_retries(url: str, attempt: Callable[[], T]) -> T:
    """Calls `attempt` until it raises no RetryableError. Raises SourceUnreachable after `MAX_ATTEMPTS` of them."""
    retry = _RETRY
    while True:
        try:
            return attempt()
        except RetryableError as failure:
            try:
                retry = retry.increment("GET", url, error=failure)
            except MaxRetryError:
                raise SourceUnreachable(
                    f"{url}: {failure}, after {MAX_ATTEMPTS} attempts: try again later"
                ) from failure
            time.sleep(failure.wait_s or retry.get_backoff_time())


def raise_if_retryable(response: requests.Response) -> None:
    """Raises RetryableError for a temporary status, BadInput if its Retry-After exceeds `MAX_RETRY_AFTER_S`."""
    if response.status_code not in RETRYABLE_STATUSES:
        return
    try:
        wait_s = _RETRY.parse_retry_after(response.headers.get("Retry-After", "0"))
    except InvalidHeader:
        wait_s = 0.0
    if wait_s > MAX_RETRY_AFTER_S:
        retry_at = (datetime.now(UTC) + timedelta(seconds=wait_s)).strftime("%Y-%m-%d %H:%M:%S UTC")
        raise BadInput(f"{response.url} answered {response.status_code}: try again after {retry_at}")
    raise RetryableError(f"answered {response.status_code} {response.reason}", wait_s)
