"""Counts of what a cache did, level by level. Plain numbers: a hit in memory takes less than a lock would."""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

LEVELS = ("memory", "disk", "redis", "factory")
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
    """Of one level. `stale`: expired values that were given because nothing better could be had in time.
    `errors`: failures and refused entries, each of which was a miss. Of the level "factory" a hit is a value made,
    and an error one that could not be. Of "memory" the latency of one hit in 64 is taken."""

    hits: int = 0
    misses: int = 0
    stale: int = 0
    errors: int = 0
    evictions: int = 0
    latency: Latency = field(default_factory=Latency)

    def as_dict(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in ("hits", "misses", "stale", "errors", "evictions")}
        p50, p99 = self.latency.quantile(0.5), self.latency.quantile(0.99)
        return {**counts, "p50_s": p50, "p99_s": p99}


def new_stats() -> dict[str, LevelStats]:
    return {level: LevelStats() for level in LEVELS}
