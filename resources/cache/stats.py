"""Counts of what a cache did, by level. Plain numbers: a hit in memory takes less time than a lock would."""

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
    """How long calls took."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def quantile(self, share: float) -> float | None:
        """The upper bound of the bucket where `share` of the calls is reached, in seconds; None without calls."""
        wanted, seen = share * sum(self.buckets), 0
        for bound, calls in zip((*BOUNDS, float("inf")), self.buckets):
            seen += calls
            if calls and seen >= wanted:
                return bound
        return None


@dataclass
class LevelStats:
    """Counts of one level. `stale`: expired values that were served because nothing better came in time. `errors`:
    failures and rejected entries, each a miss. Of the level "factory" a hit is a value made, a miss one that could not
    be. Of "memory" the latency of one hit in 64 is taken."""

    hits: int = 0
    misses: int = 0
    stale: int = 0
    errors: int = 0
    evictions: int = 0
    latency: Latency = field(default_factory=Latency)

    def count(self, hit: bool, started: float) -> None:
        """A call that began at `started`, by time.perf_counter."""
        self.latency.add(perf_counter() - started)
        self.hits += hit
        self.misses += not hit

    def as_dict(self) -> dict[str, Any]:
        rate = self.hits / (self.hits + self.misses) if self.hits + self.misses else None
        times = {f"p{share}_s": self.latency.quantile(share / 100) for share in (50, 99)}
        return {**{name: getattr(self, name) for name in COUNTS}, "hit_rate": rate, **times}


Stats = dict[str, LevelStats]  # by level
