"""Counts and latencies by level. They have no lock, which would take longer than a hit in memory."""

from bisect import bisect_left
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

LEVELS = ("memory", "disk", "redis", "factory")
COUNTS = ("hits", "misses", "stale", "errors", "evictions")
# seconds; the last bucket of a histogram has no bound
BOUNDS = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass
class Latency:
    """A histogram of the durations of calls."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def quantile(self, share: float) -> float | None:
        """Returns the upper bound in seconds of the bucket that contains the quantile `share`; None without calls."""
        wanted, seen = share * sum(self.buckets), 0
        for bound, calls in zip((*BOUNDS, float("inf")), self.buckets):
            seen += calls
            if calls and seen >= wanted:
                return bound
        return None


@dataclass
class LevelStats:
    """Counts of one level.

    `stale`: expired values that were served because the factory failed or was slow. `errors`: failures and rejected
    entries, each also a miss. In the level "factory" a hit is a call that returned, a miss one that raised. In the
    level "memory" one hit in 64 is timed.
    """

    hits: int = 0
    misses: int = 0
    stale: int = 0
    errors: int = 0
    evictions: int = 0
    latency: Latency = field(default_factory=Latency)

    def count(self, hit: bool, started: float) -> None:
        """Counts a call that began at `started`, by time.perf_counter."""
        self.latency.add(perf_counter() - started)
        self.hits += hit
        self.misses += not hit

    def as_dict(self) -> dict[str, Any]:
        rate = self.hits / (self.hits + self.misses) if self.hits + self.misses else None
        times = {f"p{share}_s": self.latency.quantile(share / 100) for share in (50, 99)}
        return {**{name: getattr(self, name) for name in COUNTS}, "hit_rate": rate, **times}


Stats = dict[str, LevelStats]  # by level
