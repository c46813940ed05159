"""What the caches of this process did, for Prometheus and as a table."""

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from resources.cache.facade import Cache
from resources.cache.stats import BOUNDS, LEVELS

COUNTED = ("hits", "misses", "stale", "errors", "evictions")
HELP = {
    "hits": "Values given.",
    "misses": "Values that were not there.",
    "stale": "Expired values given because nothing better could be had in time.",
    "errors": "Failures and refused entries, each of them a miss.",
    "evictions": "Entries dropped for room.",
}


class CacheCollector(Collector):
    """To be registered with a `prometheus_client.CollectorRegistry`."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        stats = self._cache.stats()
        for name in COUNTED:
            counter = CounterMetricFamily(f"crates_cache_{name}", HELP[name], labels=["level"])
            for level in LEVELS:
                counter.add_metric([level], stats[level][name])
            yield counter
        gauges = {"bytes": "Bytes held.", "entries": "Entries held."}
        for name, text in gauges.items():
            gauge = GaugeMetricFamily(f"crates_cache_{name}", text, labels=["level"])
            for level in LEVELS:
                if name in stats[level]:
                    gauge.add_metric([level], stats[level][name])
            yield gauge
        yield self._latency()

    def _latency(self) -> Metric:
        histogram = HistogramMetricFamily("crates_cache_seconds", "How long a call took.", labels=["level"])
        for level, latency in self._cache.latencies().items():
            total, buckets = 0, []
            for bound, calls in zip((*map(str, BOUNDS), "+Inf"), latency.buckets):
                total += calls
                buckets.append((bound, total))
            histogram.add_metric([level], buckets, latency.seconds)
        return histogram


def table(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> str:
    """A Markdown table of what happened between two `stats()`; '' if nothing did."""
    counts = {level: [after[level][name] - before[level][name] for name in COUNTED] for level in LEVELS}
    if not any(map(any, counts.values())):
        return ""
    heads = ("level", *COUNTED, "hit rate", "p50", "p99", "entries", "MB")
    lines = [heads, ("---", *["---:"] * (len(heads) - 1))]
    lines += [(level, *map(_count, counts[level]), *_of(counts[level], after[level])) for level in LEVELS]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _of(counts: list[int], level: dict[str, Any]) -> Iterable[str]:
    asked = counts[0] + counts[1]
    yield f"{counts[0] / asked:.1%}" if asked else ""
    yield from (_time(level[name]) for name in ("p50_s", "p99_s"))
    yield _count(level["entries"]) if "entries" in level else ""
    yield f"{level['bytes'] / 1e6:.1f}" if "bytes" in level else ""


def _count(number: int) -> str:
    return f"{number:,}"


def _time(seconds: float | None) -> str:
    """A bucket's bound."""
    if seconds is None:
        return ""
    if seconds == float("inf"):
        return f"> {BOUNDS[-1]:g} s"
    return f"≤ {seconds * 1e6:g} µs" if seconds < 1e-3 else f"≤ {seconds * 1e3:g} ms"
