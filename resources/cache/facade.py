"""What users hold: the cache of one namespace, blocking (`Cache`) and for asyncio (`AsyncCache`), by the same names."""

import functools
import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from resources.cache.core import Core, Job
from resources.cache.levels import DISK, REDIS, Levels, Space
from resources.cache.policy import Policy
from resources.cache.stats import Latency
from resources.cache.tags import checked
from resources.cache.waiting import Blocking, Looping, drive

LONGEST_KEY = 400  # bytes; LMDB takes 511
HOTTEST = 10_000  # keys that are noted when the cache is closed

T = TypeVar("T")
_read_keys = msgspec.msgpack.Decoder(list[str]).decode


class _Namespace:
    """What both forms share: keys, tags and options."""

    def __init__(self, levels: Levels, waiting: Any, space: Space) -> None:
        self._levels, self._waiting, self.space = levels, waiting, space
        self._core = Core(levels, waiting, space)
        self._prefix = f"{space.tag}/"
        self._hit = levels.hit

    def _key(self, key: str) -> str:
        """The key as the levels know it. Raises ValueError for one with NUL, or that cannot be written as UTF-8."""
        full = self._prefix + key
        if len(full.encode()) > LONGEST_KEY:
            # with the secret: nobody can name a short key that is taken for this one
            full = f"{self._prefix}#{hmac.digest(self._levels.secret, key.encode(), 'sha256').hex()}"
        if "\0" in full:
            raise ValueError(f"{key!r}: a key has no NUL")
        return full

    def _job(self, key: str, factory: Callable[[], Any], tags: Iterable[str], options: dict[str, Any]) -> Job:
        return Job(self._key(key), factory, self._policy(options), checked(tags))

    def _policy(self, options: dict[str, Any]) -> Policy:
        if "immutable" in options:
            raise ValueError("immutable is said of a namespace, not of one call")
        return replace(self.space.policy, **options) if options else self.space.policy

    def stats(self) -> dict[str, dict[str, Any]]:
        """Of each level, over all namespaces: hits, misses, stale, errors, evictions, p50 and p99 in seconds (None
        without a call), and of those that hold bytes, how many and in how many entries."""
        levels = self._levels
        found = {name: of.as_dict() for name, of in levels.stats.items()}
        found["memory"] |= {"bytes": levels.memory.bytes, "entries": levels.memory.entries}
        if levels.disk is not None:
            found[DISK] |= levels.on_disk(lambda disk: disk.sizes(), {})
        if levels.redis is not None:
            found[REDIS]["errors"] += levels.redis.errors
        return found

    def latencies(self) -> dict[str, Latency]:
        """How long calls took, by level."""
        return {name: of.latency for name, of in self._levels.stats.items()}


class Cache(_Namespace):
    """The blocking form, for threads."""

    _waiting: Blocking

    def namespace(self, name: str, *, version: int = 1, kind: Any = Any, **options: Any) -> "Cache":
        """The cache of another namespace, on the same levels. `kind`: the type of its values, as msgspec knows it, or
        pyarrow.Table; `version`: to be raised when the meaning of its values changes; `options`: see Policy."""
        return Cache(self._levels, self._waiting, _space(name, version, kind, Policy(**options)))

    def asynchronous(self) -> "AsyncCache":
        """The same namespace for the running loop."""
        return AsyncCache(self._levels, Looping(self._levels.redis), self.space)

    def get(self, key: str, default: Any = None) -> Any:
        """The fresh value, or `default`."""
        # a key that `_key` changes or refuses is in no memory under its own name
        entry = self._hit(self._prefix + key) or drive(self._core.find(self._key(key)))[0]
        return entry.read() if entry is not None else default

    def set(self, key: str, value: Any, *, tags: Iterable[str] = (), **options: Any) -> None:
        """Raises TypeError for a value that is not of the namespace's type."""
        drive(self._core.set(self._key(key), value, self._policy(options), checked(tags)))

    def delete(self, key: str) -> None:
        drive(self._core.delete(self._key(key)))

    def get_or_set(self, key: str, factory: Callable[[], Any], *, tags: Iterable[str] = (), **options: Any) -> Any:
        """The fresh value, else what `factory` makes; one caller at a time makes it, over all processes.

        A factory may return `Made`. `options`: see Policy. Raises what the factory raises, if there is no old value
        to give, and TimeoutError after `hard_timeout`.
        """
        entry = self._hit(self._prefix + key)
        if entry is None:
            return drive(self._core.get_or_set(self._job(key, factory, tags, options)))
        if entry.is_nearly_over(self._policy(options).eager):
            self._core.refresh(entry, self._job(key, factory, tags, options))
        return entry.read()

    def invalidate_tags(self, *tags: str) -> None:
        """Makes every entry with one of these tags invalid, in every process."""
        drive(self._core.invalidate_tags(checked(tags)))

    def clear(self) -> None:
        """Makes every entry of this namespace invalid, in every process."""
        drive(self._core.invalidate_tags((self.space.tag,)))

    def warm(self, items: Mapping[str, Any] | Iterable[str] | None = None, *, tags: Iterable[str] = ()) -> int:
        """Brings entries into memory: values by key, keys that the other levels hold, or, without items, the keys that
        were used last when the cache was closed before. How many there are now."""
        if isinstance(items, Mapping):
            for key, value in items.items():
                self.set(key, value, tags=tags)
            return len(items)
        keys = _hot_keys(self._levels, self.space) if items is None else map(self._key, items)
        return sum(drive(self._core.find(key))[0] is not None for key in keys)

    def cached(self, key: Callable[..., str], *, tags: Iterable[str] = (), **options: Any) -> Any:
        """Decorates a function: `key` makes the key of its arguments."""

        def wrap(function: Callable[..., T]) -> Callable[..., T]:
            @functools.wraps(function)
            def call(*args: Any, **kwargs: Any) -> T:
                return self.get_or_set(key(*args, **kwargs), lambda: function(*args, **kwargs), tags=tags, **options)

            return call

        return wrap

    def note_hottest(self) -> None:
        """Notes which keys were used last, for `warm` of the next process."""
        keys = msgspec.msgpack.encode(self._levels.memory.hottest(HOTTEST))
        self._levels.on_disk(lambda disk: disk.keep_note("hottest", keys), None)


class AsyncCache(_Namespace):
    """The asyncio form, for one loop. What it does is said at `Cache`; factories may be coroutine functions."""

    _waiting: Looping

    async def get(self, key: str, default: Any = None) -> Any:
        entry = self._hit(self._prefix + key) or (await self._core.find(self._key(key)))[0]
        return entry.read() if entry is not None else default

    async def set(self, key: str, value: Any, *, tags: Iterable[str] = (), **options: Any) -> None:
        await self._core.set(self._key(key), value, self._policy(options), checked(tags))

    async def delete(self, key: str) -> None:
        await self._core.delete(self._key(key))

    async def get_or_set(
        self, key: str, factory: Callable[[], Any], *, tags: Iterable[str] = (), **options: Any
    ) -> Any:
        entry = self._hit(self._prefix + key)
        if entry is None:
            return await self._core.get_or_set(self._job(key, factory, tags, options))
        if entry.is_nearly_over(self._policy(options).eager):
            self._core.refresh(entry, self._job(key, factory, tags, options))
        return entry.read()

    async def invalidate_tags(self, *tags: str) -> None:
        await self._core.invalidate_tags(checked(tags))

    async def clear(self) -> None:
        await self._core.invalidate_tags((self.space.tag,))

    async def warm(self, items: Mapping[str, Any] | Iterable[str] | None = None, *, tags: Iterable[str] = ()) -> int:
        if isinstance(items, Mapping):
            for key, value in items.items():
                await self.set(key, value, tags=tags)
            return len(items)
        keys = _hot_keys(self._levels, self.space) if items is None else map(self._key, items)
        return sum([(await self._core.find(key))[0] is not None for key in keys])

    def cached(self, key: Callable[..., str], *, tags: Iterable[str] = (), **options: Any) -> Any:
        def wrap(function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
            @functools.wraps(function)
            async def call(*args: Any, **kwargs: Any) -> T:
                made = functools.partial(function, *args, **kwargs)
                return await self.get_or_set(key(*args, **kwargs), made, tags=tags, **options)

            return call

        return wrap

    async def close(self) -> None:
        """Ends this loop's connections; the levels stay open."""
        await self._waiting.close()


def _space(name: str, version: int, kind: Any, policy: Policy) -> Space:
    if not name or not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
        raise ValueError(f"{name!r}: a namespace is named by letters, digits, _ and -")
    return Space(name, version, kind, policy)


def _hot_keys(levels: Levels, space: Space) -> list[str]:
    noted = levels.on_disk(lambda disk: disk.note("hottest"), b"")
    try:
        return [key for key in _read_keys(noted) if key.startswith(f"{space.tag}/")] if noted else []
    except msgspec.MsgspecError:
        return []
