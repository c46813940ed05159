"""`make bench-cache`: measures the cache against its limits and against other caches in the same run.

CPU time is the minimum of several rounds; p50 and p99 are those of the round with the lowest median. The server is
Valkey on a Unix socket. A missed limit is printed and does not fail, since timings vary between machines.
"""

import asyncio
import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cachetools
import msgspec
import numpy as np
import redis
import redis.asyncio

from benchmarks.cache_peers import BareLmdb, CacheTools, Cashews, TagsAsSets, disk_cache
from benchmarks.cache_timing import Call, check_limit, compare, head, lines, missed, section
from resources.cache import Cache, CacheSettings, close_cache, open_cache
from resources.cache.embedded import start_server
from resources.cache.local_levels import REDIS

L1_US, L1_TIMES_CASHEWS, L2_US, L3_TIMES_RAW = 2, 4, 40, 1.3
INVALIDATION_MS, SEEN_MS, FAULT_MS, HITS_UNCHANGED = 1, 10, 100, 1.2
HIT_RATE = 90
TAGS = ("all", "some")
KEYS = [f"crate/{number}" for number in range(2_000)]
TAGGED = 100_000
OPEN_S, WINDOWS = 1.0, 3
LONG_TIMEOUT_S = 1.0  # so that a busy machine does not count as a Redis failure
ZIPF_KEYS, ZIPF_REQUESTS, ZIPF_SHARE = 10_000, 200_000, 0.05
MISSES = 1_000


class Record(msgspec.Struct, frozen=True):
    """2 kB as msgpack. It is frozen, so memory returns the same object to every caller."""

    name: str
    text: str
    versions: tuple[tuple[str, int, float], ...]


class Reply(msgspec.Struct, frozen=True):
    """2 kB as msgpack, most of it in one string."""

    model: str
    text: str


REPLY = Reply("a model", "what its authors say of it " * 74)
RECORD = Record("alder", "what its authors say of it " * 30, tuple((f"1.{n}.0", n, n / 7) for n in range(65)))


def main() -> None:
    started = time.monotonic()
    print(f"a value of {len(msgspec.msgpack.encode(RECORD)):,} bytes; {os.cpu_count()} cores\n")
    head()
    with TemporaryDirectory() as folder:
        url = start_server()
        for part in (
            memory_hits,
            disk_hits,
            redis_hits,
            sets,
            invalidation,
            invalidation_delay,
            single_flight,
            hit_rates,
        ):
            part(Path(folder) / part.__name__, url)
        for name, number in (("killed", signal.SIGKILL), ("stopped", signal.SIGSTOP)):
            fault(Path(folder) / name, name, number)
    print(f"\nmissed: {', '.join(missed) or 'nothing'}; {time.monotonic() - started:.0f} s")


@contextmanager
def opened(settings: CacheSettings) -> Iterator[Cache]:
    """Opens a cache of records."""
    try:
        yield open_cache(settings).namespace("records", kind=Record, ttl=3600.0, jitter=0.0)
    finally:
        close_cache(settings)


@contextmanager
def new_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def fill(cache: Cache, keys: Sequence[str] = KEYS) -> None:
    for key in keys:
        cache.set(key, RECORD, tags=TAGS)


def dicts(cache: Cache) -> Cache:
    """Stores the same values as dicts, which are mutable."""
    plain = cache.namespace("plain")
    for key in KEYS:
        plain.set(key, msgspec.to_builtins(RECORD), tags=TAGS)
    return plain


def replies(cache: Cache) -> Cache:
    """Stores values that are quick to decode."""
    flat = cache.namespace("replies", kind=Reply, ttl=3600.0, jitter=0.0)
    for key in KEYS:
        flat.set(key, REPLY, tags=TAGS)
    return flat


def clear_memory(cache: Cache) -> Callable[[], None]:
    """Returns a function that clears only the memory level."""
    return cache.core.levels.local.memory.clear


# --- hits


def memory_hits(folder: Path, url: str) -> None:
    section("hit in memory, two tags")
    with opened(CacheSettings(folder, redis_url=url, timeout_s=LONG_TIMEOUT_S)) as cache, new_loop() as loop:
        fill(cache)
        plain = dicts(cache)
        resources, cashews = CacheTools(), Cashews(loop)
        for key in KEYS:
            resources.set(key, RECORD)
            loop.run_until_complete(cashews.set(key, RECORD))
        costs = compare(
            {
                "cache": Call(cache.get),
                "cache, asyncio": Call(cache.asynchronous().get, loop),
                "cache, a dict, decoded for each caller": Call(plain.get),
                "cachetools TTLCache and RLock, no tags": Call(resources.get),
                "cashews mem": Call(cashews.get, loop),
            },
            KEYS * 3,
        )
    lines(costs)
    check_limit("hit in memory", costs["cache"].cpu, L1_US, "µs CPU")
    times = costs["cashews mem"].cpu / costs["cache"].cpu
    check_limit("hit in memory, times faster than cashews", times, L1_TIMES_CASHEWS, "times", at_least=True)


def disk_hits(folder: Path, url: str) -> None:
    section("hit on disk: verified, decoded, put into memory")
    with (
        opened(CacheSettings(folder / "ours", redis_url=url, timeout_s=LONG_TIMEOUT_S)) as cache,
        disk_cache(folder / "diskcache") as peer,
    ):
        fill(cache)
        plain, flat = dicts(cache), replies(cache)
        bare = BareLmdb(folder / "lmdb")
        sealed = entry_bytes(cache, KEYS[0])
        for key in KEYS:
            peer.set(key, sealed, expire=3600)
            bare.set(key, sealed)
        costs = compare(
            {
                "cache, a text": Call(flat.get, before=clear_memory(cache)),
                "cache, a record of 65 tuples": Call(cache.get, before=clear_memory(cache)),
                "cache, a dict": Call(plain.get, before=clear_memory(cache)),
                "diskcache, the same bytes, not verified, not decoded": Call(peer.get),
                "lmdb, the same bytes, not verified, not decoded": Call(bare.get),
            },
            KEYS,
        )
        bare.close()
    lines(costs)
    check_limit("hit on disk", costs["cache, a text"].cpu, L2_US, "µs CPU")


def redis_hits(folder: Path, url: str) -> None:
    section("hit in Redis (no disk level): verified, decoded, put into memory")
    keys = KEYS[:200]
    with (
        opened(CacheSettings(folder, disk_bytes=0, redis_url=url, timeout_s=LONG_TIMEOUT_S)) as cache,
        new_loop() as loop,
    ):
        fill(cache, keys)
        level = cache.core.levels.redis
        assert level is not None
        client, async_client = redis.Redis.from_url(url), redis.asyncio.Redis.from_url(url)
        flat = replies(cache)
        names = {key: level.entry(flat.core.prefix + key) for key in keys}
        asynchronous = flat.asynchronous()
        costs = compare(
            {
                "cache, a text": Call(flat.get, before=clear_memory(cache)),
                "cache, a record of 65 tuples": Call(cache.get, before=clear_memory(cache)),
                "redis-py GET, the same bytes": Call(lambda key: client.get(names[key])),
                "cache, a text, asyncio": Call(asynchronous.get, loop, before=clear_memory(cache)),
                "redis-py GET, the same bytes, asyncio": Call(lambda key: async_client.get(names[key]), loop),
            },
            keys,
            rounds=20,  # many short rounds: the time to wake another process varies most
        )
        loop.run_until_complete(async_client.aclose())
        loop.run_until_complete(asynchronous.close())
        client.close()
    lines(costs)
    for form in ("", ", asyncio"):
        ours, raw = costs[f"cache, a text{form}"], costs[f"redis-py GET, the same bytes{form}"]
        check_limit(f"hit in Redis{form}, of a raw GET", ours.cpu / raw.cpu, L3_TIMES_RAW, "CPU")


def entry_bytes(cache: Cache, key: str) -> bytes:
    """Returns an entry as stored in Redis."""
    full, local = cache.core.prefix + key, cache.core.levels.local
    entry = local.memory.get(full)
    assert entry is not None
    return local.seal_entry(full, entry, REDIS)


# --- writes


def sets(folder: Path, url: str) -> None:
    section("set, two tags")
    keys = KEYS[:300]
    settings = {
        "cache, memory": CacheSettings(folder / "memory", disk_bytes=0),
        "cache, memory and disk": CacheSettings(folder / "disk"),
        "cache, memory and Redis": CacheSettings(
            folder / "redis", disk_bytes=0, redis_url=url, timeout_s=LONG_TIMEOUT_S
        ),
        "cache, all three": CacheSettings(folder / "all", redis_url=url, timeout_s=LONG_TIMEOUT_S),
    }
    calls = {name: Call(setter(open_cache(of).namespace("records", kind=Record))) for name, of in settings.items()}
    resources, bare, client = CacheTools(), BareLmdb(folder / "lmdb"), redis.Redis.from_url(url)
    packed = msgspec.msgpack.encode(RECORD)
    with new_loop() as loop, disk_cache(folder / "diskcache") as peer:
        cashews = Cashews(loop)
        calls |= {
            "cachetools TTLCache and RLock, no tags": Call(lambda key: resources.set(key, RECORD)),
            "cashews mem": Call(lambda key: cashews.set(key, RECORD), loop),
            "diskcache, bytes": Call(lambda key: peer.set(key, packed, expire=300)),
            "lmdb, bytes": Call(lambda key: bare.set(key, packed)),
            "redis-py SET, bytes": Call(lambda key: client.set(key, packed, ex=300)),
        }
        lines(compare(calls, keys, rounds=4))
    for of in settings.values():
        close_cache(of)
    bare.close()
    client.close()


def setter(cache: Cache) -> Callable[[str], None]:
    return lambda key: cache.set(key, RECORD, tags=TAGS)


def invalidation(folder: Path, url: str) -> None:
    section(f"invalidation of a tag of {TAGGED:,} entries")
    keys = [f"tagged/{number}" for number in range(TAGGED)]
    client = redis.Redis.from_url(url)
    with opened(CacheSettings(folder, memory_bytes=1 << 30, redis_url=url, timeout_s=LONG_TIMEOUT_S)) as cache:
        cache.set(keys[0], RECORD, tags=("big",))
        fill_at_once(cache, client, keys)
        costs = compare(
            {"cache": Call(lambda tag: cache.invalidate_tags(tag)), "cache, an unused tag": Call(no_entry(cache))},
            ["big"] * 100,
        )
        assert all(cache.get(key) is None for key in keys[::1000])
    sets_of_keys, took = TagsAsSets(client), []
    for _ in range(2):
        sets_of_keys.fill("tag", keys, b"value")
        took += Call(sets_of_keys.invalidate).each(["tag"])
    client.flushall()
    client.close()
    lines(costs)
    print(f"  {'sets of keys in Redis':<65} {min(took):8.0f}")
    check_limit("invalidation", costs["cache"].p50 / 1000, INVALIDATION_MS, "ms p50")


def no_entry(cache: Cache) -> Callable[[str], None]:
    return lambda _: cache.invalidate_tags("none")


def fill_at_once(cache: Cache, client: redis.Redis, keys: Sequence[str]) -> None:
    """Stores one entry under many keys in Redis, faster than `set` for each key."""
    local, redis_level = cache.core.levels.local, cache.core.levels.redis
    entry = local.memory.get(cache.core.prefix + keys[0])
    assert entry is not None and redis_level is not None
    for start in range(0, len(keys), 1_000):
        pipeline = client.pipeline(transaction=False)
        for key in keys[start : start + 1_000]:
            full = cache.core.prefix + key
            pipeline.set(redis_level.entry(full), local.seal_entry(full, entry, REDIS), px=3_600_000)
        pipeline.execute()
    clear_memory(cache)()
    assert all(cache.get(key) is not None for key in keys[::1000])


# --- several processes


def invalidation_delay(folder: Path, url: str) -> None:
    section("delay until another process no longer serves an invalidated value, in ms")
    here = CacheSettings(folder / "here", redis_url=url, timeout_s=LONG_TIMEOUT_S, key="the same everywhere")
    there = replace(here, folder=folder / "there")
    with opened(here) as cache:
        spinning = delays_in_child(cache, there, pause_s=0.0)
        cases = {
            "on another disk, reads without a pause": spinning,
            "on another disk, reads every 0.2 ms": delays_in_child(cache, there, pause_s=0.0002),
            "on the same disk, reads without a pause": delays_in_child(cache, here, pause_s=0.0),
        }
        for name, took in cases.items():
            print(f"  {name:<65} {np.median(took):8.2f} {np.quantile(took, 0.99):8.2f}")
    check_limit("delay in another process", float(np.quantile(spinning, 0.99)), SEEN_MS, "ms p99")


def delays_in_child(cache: Cache, settings: CacheSettings, pause_s: float, times: int = 200) -> list[float]:
    """Returns the delays in ms from the start of each invalidation."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    child = spawn.Process(target=watch, args=(settings, theirs, pause_s), daemon=True)
    child.start()
    took = []
    for number in range(times):
        key, tag = f"watched/{number}", f"tag/{number}"
        cache.set(key, RECORD, tags=(tag,))
        ours.send(key)
        ours.recv()  # it has the value in its memory
        time.sleep(random.uniform(0.010, 0.015))  # it has also received the message about the value
        started = time.monotonic()
        cache.invalidate_tags(tag)
        took.append((ours.recv() - started) * 1000)
    ours.send(None)
    child.join(10)
    return took


def watch(settings: CacheSettings, pipe: Connection, pause_s: float) -> None:
    """Runs in the child: reports when it has each value, and when the value is no longer served."""
    with opened(settings) as cache:
        while (key := pipe.recv()) is not None:
            while cache.get(key) is None:
                time.sleep(0.0001)
            pipe.send("ready")
            while cache.get(key) is not None:
                if pause_s:
                    time.sleep(pause_s)
            pipe.send(time.monotonic())


def single_flight(folder: Path, url: str) -> None:
    section(f"factory calls for {MISSES:,} misses of one key at once")
    settings = CacheSettings(folder / "here", redis_url=url, timeout_s=LONG_TIMEOUT_S, key="the same everywhere")
    with opened(settings) as cache, new_loop() as loop:
        check_limit("in threads", missing_threads(cache, "threads", MISSES), 1, "calls")
        check_limit("in tasks", loop.run_until_complete(missing_tasks(cache)), 1, "calls")
    spawn = multiprocessing.get_context("spawn")
    barrier, calls = spawn.Barrier(2), spawn.Queue()
    children = [
        spawn.Process(target=missing_child, args=(replace(settings, folder=folder / name), barrier, calls), daemon=True)
        for name in ("one", "two")
    ]
    for child in children:
        child.start()
    check_limit(
        "in threads of two processes, each with a disk", sum(calls.get(timeout=60) for _ in children), 1, "calls"
    )
    for child in children:
        child.join()


def missing_threads(cache: Cache, key: str, threads: int) -> int:
    """Returns how often the factory was called."""
    calls: Counter[str] = Counter()
    together = threading.Barrier(threads)

    def factory() -> Record:
        calls[key] += 1
        time.sleep(0.05)
        return RECORD

    def miss(_: int) -> None:
        together.wait()
        assert cache.get_or_set(key, factory) == RECORD

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(miss, range(threads)))
    return calls[key]


async def missing_tasks(cache: Cache) -> int:
    asynchronous, calls = cache.asynchronous(), []

    async def factory() -> Record:
        calls.append(1)
        await asyncio.sleep(0.05)
        return RECORD

    found = await asyncio.gather(*(asynchronous.get_or_set("tasks", factory) for _ in range(MISSES)))
    assert all(value == RECORD for value in found)
    await asynchronous.close()
    return len(calls)


def missing_child(settings: CacheSettings, barrier: Any, calls: Any) -> None:
    with opened(settings) as cache:
        barrier.wait()
        calls.put(missing_threads(cache, "processes", MISSES // 2))


# --- hit rates


def hit_rates(folder: Path, url: str) -> None:
    """Measures without Redis, which would have the same entries as the disk."""
    section(
        f"hit rate, {ZIPF_REQUESTS:,} requests of {ZIPF_KEYS:,} keys by Zipf's law from an empty cache, "
        f"memory for {ZIPF_SHARE:.0%} of the keys, %"
    )
    for exponent in (1.0, 1.1):
        weights = 1 / np.arange(1, ZIPF_KEYS + 1) ** exponent
        weights /= weights.sum()
        trace = np.random.default_rng(0).choice(ZIPF_KEYS, ZIPF_REQUESTS, p=weights)
        overall, memory, took = zipf(CacheSettings(folder / str(exponent), memory_bytes=memory_for_share()), trace)
        most = int(ZIPF_KEYS * ZIPF_SHARE)
        for name, value in (
            (f"exponent {exponent}: memory alone", memory),
            ("  cachetools LRUCache of as many keys", least_recently_used(trace, most)),
            ("  requests of the most frequent keys, the bound of any memory", 100 * weights[:most].sum()),
        ):
            print(f"  {name:<65} {value:8.2f}")
        check_limit(
            f"exponent {exponent}: memory and disk ({took:.0f} µs a request)", overall, HIT_RATE, "%", at_least=True
        )


def memory_for_share() -> int:
    """Returns the bytes of memory that hold ZIPF_SHARE of the keys."""
    settings = CacheSettings(Path(), disk_bytes=0, key="a key of this benchmark")
    try:
        cache = open_cache(settings).namespace("zipf", kind=int)
        cache.set("0", 0)
        return int(cache.stats()["memory"]["bytes"] * ZIPF_KEYS * ZIPF_SHARE)
    finally:
        close_cache(settings)


def zipf(settings: CacheSettings, trace: np.ndarray) -> tuple[float, float, float]:
    """Returns the hit rates of all levels and of memory in %, and µs per request."""
    made = 0

    def make() -> int:
        nonlocal made
        made += 1
        return 0

    cache = open_cache(settings).namespace("zipf", kind=int, ttl=3600.0)
    started = time.perf_counter()
    for number in trace.tolist():
        cache.get_or_set(str(number), make)
    took = (time.perf_counter() - started) / len(trace) * 1e6
    memory = cache.stats()["memory"]["hits"]
    close_cache(settings)
    return 100 - 100 * made / len(trace), 100 * memory / len(trace), took


def least_recently_used(trace: np.ndarray, keys: int) -> float:
    cache: cachetools.LRUCache[int, int] = cachetools.LRUCache(keys)
    hits = 0
    for number in trace.tolist():
        if cache.get(number) is not None:
            hits += 1
        else:
            cache[number] = 1
    return 100 * hits / len(trace)


# --- faults


def fault(folder: Path, name: str, number: signal.Signals) -> None:
    """Compares with a cache whose Redis is healthy at the same time, so that other work affects both equally."""
    section(f"Redis {name}; not used for {OPEN_S:g} s after a failure")
    url, healthy = start_server(), CacheSettings(folder / "healthy", redis_url=start_server())
    with redis.Redis.from_url(url) as client:
        info: Any = client.info("server")
    with opened(healthy) as other, opened(CacheSettings(folder / "failing", redis_url=url, open_s=OPEN_S)) as cache:
        fill(other)
        fill(cache)
        os.kill(info["process_id"], number)
        windows = misses(cache)
        calls = {}
        for state, of in (("", other), (f", Redis {name}", cache)):
            calls[f"hit in memory{state}"] = Call(of.get)
            calls[f"hit on disk{state}"] = Call(of.get, before=clear_memory(of))
        costs = compare(calls, KEYS)
        os.kill(info["process_id"], signal.SIGKILL)
    lines(costs)
    for hit in ("hit in memory", "hit on disk"):
        check_limit(f"{hit}, Redis {name}", costs[f"{hit}, Redis {name}"].cpu / costs[hit].cpu, HITS_UNCHANGED, "times")
    slower = ", ".join(str(len(window)) for window in windows)
    print(f"  {'misses that were slower, in each window':<65} {slower}")
    check_limit("delay of misses in the worst window", max(map(sum, windows)), FAULT_MS, "ms")


def misses(cache: Cache) -> list[list[float]]:
    """Returns the delays of misses above 5 ms, in ms, grouped by the window in which Redis was tried."""
    ends = time.perf_counter() + WINDOWS * (OPEN_S + 0.2)
    took: list[tuple[float, float]] = []
    while (now := time.perf_counter()) < ends:
        cache.get(f"missing/{len(took)}")
        took.append((now, (time.perf_counter() - now) * 1000))
    usual = float(np.median([ms for _, ms in took]))
    windows: list[list[float]] = [[]]
    began = took[0][0]
    for at, ms in took:
        if ms - usual > 5:
            if at - began > OPEN_S / 2:
                windows.append([])
                began = at
            windows[-1].append(ms - usual)
    return windows


if __name__ == "__main__":
    main()
