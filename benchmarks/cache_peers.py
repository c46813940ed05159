"""Other caches for the benchmark, each used as its own documentation recommends."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cachetools
import cashews
import diskcache
import lmdb
import redis

TTL = 300
CHUNK = 1_000  # keys in one command


class CacheTools:
    """TTLCache with a lock, since it is not thread-safe."""

    def __init__(self) -> None:
        self._cache: cachetools.TTLCache[str, Any] = cachetools.TTLCache(1_000_000, TTL)
        self._lock = threading.RLock()

    def get(self, key: str) -> Any:
        with self._lock:
            return self._cache.get(key)

    def set(self, key: str, value: Any) -> None:
        with self._lock:
            self._cache[key] = value


class Cashews:
    """cashews in memory, with two tags on every key."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._cache = cashews.Cache()
        self._cache.setup("mem://", size=1_000_000)
        for tag in ("all", "some"):
            self._cache.register_tag(tag, "{key}")
        loop.run_until_complete(self._cache.init())
        self.get = self._cache.get

    async def set(self, key: str, value: Any) -> None:
        await self._cache.set(key, value, expire=TTL, tags=("all", "some"))


class BareLmdb:
    """LMDB with plain bytes: no expiry, verification or eviction."""

    def __init__(self, folder: Path) -> None:
        self._env = lmdb.open(str(folder), map_size=1 << 30, sync=False, metasync=False, writemap=False)

    def get(self, key: str) -> bytes | None:
        with self._env.begin() as txn:
            return txn.get(key.encode())

    def set(self, key: str, value: bytes) -> None:
        with self._env.begin(write=True) as txn:
            txn.put(key.encode(), value)

    def close(self) -> None:
        self._env.close()


def disk_cache(folder: Path) -> diskcache.Cache:
    return diskcache.Cache(str(folder), size_limit=1 << 30)


class TagsAsSets:
    """The usual tags in Redis: a set of keys for each tag."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def fill(self, tag: str, keys: Sequence[str], value: bytes) -> None:
        for start in range(0, len(keys), CHUNK):
            some = keys[start : start + CHUNK]
            pipeline = self._client.pipeline(transaction=False)
            for key in some:
                pipeline.set(key, value, ex=TTL)
            pipeline.sadd(tag, *some)
            pipeline.execute()

    def invalidate(self, tag: str) -> None:
        found: Any = self._client.smembers(tag)
        keys = list(found)
        for start in range(0, len(keys), CHUNK):
            self._client.unlink(*keys[start : start + CHUNK])
        self._client.delete(tag)
