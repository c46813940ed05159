"""A circuit breaker: limits the time that a failing level can cost."""

import threading
import time

MAX_FAILURES = 3


class Breaker:
    """While it is closed, the level is used. It stays open for `open_s` seconds; then one caller may try the level.

    It opens after MAX_FAILURES in a row, or when calls that failed or were slow (over a fifth of `max_lost_s`) took
    more than `max_lost_s` seconds together. A call takes at most that long, so a failing level costs at most twice
    that.
    """

    def __init__(self, open_s: float, max_lost_s: float) -> None:
        self.open_s, self._max_lost_s = open_s, max_lost_s
        self._failures, self._lost_s, self._until = 0, 0.0, 0.0
        self._lock = threading.Lock()

    def admits(self) -> bool:
        """Returns whether the level may be used now."""
        if not self._until:
            return True
        with self._lock:
            now = time.monotonic()
            is_first = now >= self._until
            if is_first:
                self._until = now + self.open_s  # other callers skip the level until this call has ended
            return is_first

    def record(self, seconds: float, *, failed: bool) -> None:
        """Records the duration of a call, and whether it failed."""
        if not failed and not (self._until or self._failures or self._lost_s) and seconds <= self._max_lost_s / 5:
            return
        with self._lock:
            if not failed and seconds <= self._max_lost_s / 5:
                self._failures, self._lost_s, self._until = 0, 0.0, 0.0
                return
            self._failures += failed
            self._lost_s += seconds
            if self._until or self._failures >= MAX_FAILURES or self._lost_s > self._max_lost_s:
                self._until = time.monotonic() + self.open_s
                self._failures, self._lost_s = 0, 0.0
