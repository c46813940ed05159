"""The counts of all processes, for Prometheus and as a Markdown table.

Each process writes its totals to its own files in the cache's folder `metrics`, in the format of prometheus_client's
multiprocess mode (PROMETHEUS_MULTIPROC_DIR).
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest, write_to_textfile
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from resources.cache.cache import Cache
from resources.cache.stats import BOUNDS, COUNTS, LEVELS

HELP = {
    "hits": "Values served.",
    "misses": "Values that were absent or expired.",
    "stale": "Expired values served because the factory failed or was slow.",
    "errors": "Failures and rejected entries, each a miss.",
    "evictions": "Entries evicted to stay within the size limit.",
}
log = logging.getLogger("crates.cache")


def publish_metrics(cache: Cache, folder: Path) -> None:
    """Writes the totals of this process, and the sum over processes to `metrics.prom` in the cache's folder."""
    try:
        files = _files(folder)
        for kind, values in (("counter", _counters(cache)), ("histogram", _latencies(cache))):
            file = MmapedDict(str(files / f"{kind}_{os.getpid()}.db"))
            for key, value in values:
                file.write_value(key, value, 0.0)
            file.close()
        write_to_textfile(str(folder / "metrics.prom"), _registry(files))
    except (OSError, ValueError) as error:
        log.warning("%s: the cache's metrics cannot be written: %s", folder, error)


def render_metrics(folder: Path) -> bytes:
    """Returns the sum over processes in the text format of Prometheus."""
    return generate_latest(_registry(_files(folder)))


def cache_table(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> str:
    """Returns the differences between two `stats()` as a Markdown table; '' if there are none."""
    counts = {level: [after[level][name] - before[level][name] for name in COUNTS] for level in LEVELS}
    if not any(map(any, counts.values())):
        return ""
    heads = ("level", *COUNTS, "hit rate", "p50", "p99", "entries", "MB")
    lines = [heads, ("---", *["---:"] * (len(heads) - 1))]
    for level in LEVELS:
        of, calls = after[level], counts[level][0] + counts[level][1]
        rate = f"{counts[level][0] / calls:.1%}" if calls else ""
        sizes = (f"{of['entries']:,}", f"{of['bytes'] / 1e6:.1f}") if "bytes" in of else ("", "")
        lines.append((level, *(f"{n:,}" for n in counts[level]), rate, _time(of["p50_s"]), _time(of["p99_s"]), *sizes))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _registry(files: Path) -> CollectorRegistry:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(files))
    return registry


def _files(folder: Path) -> Path:
    """Returns the folder of the files; removes them if their processes have ended, as prometheus_client requires."""
    files = folder / "metrics"
    files.mkdir(parents=True, exist_ok=True)
    found = list(files.glob("*.db"))
    if not any(Path(f"/proc/{path.stem.rpartition('_')[2]}").exists() for path in found):
        for path in found:
            path.unlink(missing_ok=True)
    return files


def _counters(cache: Cache) -> Iterator[tuple[str, float]]:
    for level, stats in cache.stats().items():
        for name in COUNTS:
            key = mmap_key(f"crates_cache_{name}", f"crates_cache_{name}_total", ["level"], [level], HELP[name])
            yield key, stats[name]


def _latencies(cache: Cache) -> Iterator[tuple[str, float]]:
    name, text = "crates_cache_seconds", "Duration of a call in seconds."
    for level, stats in cache.core.levels.local.stats.items():
        for bound, calls in zip((*map(str, BOUNDS), "+Inf"), stats.latency.buckets):
            yield mmap_key(name, f"{name}_bucket", ["level", "le"], [level, bound], text), calls
        yield mmap_key(name, f"{name}_sum", ["level"], [level], text), stats.latency.seconds


def _time(seconds: float | None) -> str:
    """Formats the upper bound of a bucket."""
    if seconds is None:
        return ""
    if seconds == float("inf"):
        return f"> {BOUNDS[-1]:g} s"
    return f"≤ {seconds * 1e6:g} µs" if seconds < 1e-3 else f"≤ {seconds * 1e3:g} ms"
