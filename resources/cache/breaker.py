"""Keeps a level that fails from costing more than a bound: after that it is left alone for a while."""

import threading
import time

MOST_FAILURES = 3


class Breaker:
    """Closed: the level is asked. Open: it is not, for `open_s`; then one caller may try it, and what it finds decides.

    It opens after MOST_FAILURES in a row, or after `lost_s` seconds of waiting for answers that failed or came late
    (after a fifth of `lost_s`). One answer takes at most `lost_s`, so twice that is what a time of failing can cost.
    """

    def __init__(self, open_s: float, lost_s: float) -> None:
        self.open_s = open_s
        self._most_lost_s = lost_s
        self.opened = 0  # times
        self._failures = 0
        self._lost_s = 0.0
        self._until = 0.0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        return time.monotonic() < self._until

    def admits(self) -> bool:
        """Whether the level may be asked now. Of those that come after an open time one is let through."""
        if not self._until:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._until:
                return False
            # who comes next waits for what this one finds, at most as long again
            self._until = now + self.open_s
            return True

    def succeeded(self, seconds: float) -> None:
        if seconds > self._most_lost_s / 5:
            self._count(0, seconds)
        elif self._until or self._failures or self._lost_s:
            with self._lock:
                self._failures, self._lost_s, self._until = 0, 0.0, 0.0

    def failed(self, seconds: float) -> None:
        self._count(1, seconds)

    def _count(self, failures: int, seconds: float) -> None:
        with self._lock:
            self._failures += failures
            self._lost_s += seconds
            if self._until or self._failures >= MOST_FAILURES or self._lost_s > self._most_lost_s:
                self._until = time.monotonic() + self.open_s
                self.opened += 1
                self._failures, self._lost_s = 0, 0.0
