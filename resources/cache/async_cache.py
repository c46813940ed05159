"""The cache's policy, written once as coroutines; `Cache` runs them in threads.

Only the driver waits. `SyncDriver` blocks the thread, so that a coroutine never suspends.
"""

import functools
import hmac
import logging
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from time import monotonic, perf_counter
from typing import Any

from resources.cache.drivers import Driver
from resources.cache.entry import Entry, Life
from resources.cache.envelope import InvalidEntry, Versions, decode, encode
from resources.cache.levels import Levels
from resources.cache.options import FactoryResult, Namespace, Options
from resources.cache.tags import MAX_TAGS, checked_tags

MAX_KEY_BYTES = 400  # LMDB takes 511
THROTTLE_S = 1.0  # a stale value is served for this long before a factory that failed is called again
MAX_PAUSE_S = 0.1
log = logging.getLogger("crates.cache")

# identifies a factory call: the key, the change number of its slot and the versions of its tags before the call. A
# caller that arrives after a change does not join an earlier flight
Flight = tuple[str, int, Versions]
Flights = dict[Flight, Future[Any]]


class _LeaderEnded(Exception):
    """The thread or task that led the flight ended before its factory returned."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of a flight. `is_outdated`: the key or a tag changed meanwhile, so the value was not cached."""

    value: Any
    entry: Entry | None = None
    is_outdated: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    """One call of `get_or_set`. `stale`: the old entry that can be served; `is_early`: it is still fresh."""

    key: str
    factory: Callable[[], Any]
    options: Options
    tags: tuple[str, ...]
    stale: Entry | None = None
    is_early: bool = False


class AsyncCache:
    """The cache of one namespace, for one event loop. `Cache` has the same methods for threads."""

    def __init__(self, levels: Levels, driver: Driver, flights: Flights, namespace: Namespace, options: Options):
        """`flights`: the factory calls in progress in this process."""
        self.levels, self.driver, self.flights = levels, driver, flights
        self.namespace, self.options, self.prefix = namespace, options, f"{namespace.tag}/"
        self._local, self._stats = levels.local, levels.local.stats["factory"]

    async def get(self, key: str, default: Any = None) -> Any:
        """Returns the fresh value, or `default`."""
        # a long or invalid key is never in memory under its own name
        entry = self._local.hit(self.prefix + key) or await self._find_fresh(self._full_key(key))
        return entry.read() if entry is not None else default

    async def set(self, key: str, value: Any, *, tags: Iterable[str] = (), **options: Any) -> None:
        """Stores a value in every level.

        Raises TypeError for a value that is not of the namespace's type, ValueError for invalid tags and options.
        """
        full, life, checked_at = self._full_key(key), self._options(options).life(), monotonic()
        change_number = self._local.board.change(self._local.board.slot(full))
        entry = self._entry(full, value, life, await self._versions(checked_tags(tags)), checked_at)
        if entry is None:
            await self.levels.delete(full)
        else:
            await self.levels.store(full, entry, self.namespace, change_number)

    async def delete(self, key: str) -> None:
        """Deletes the value in every level."""
        await self.levels.delete(self._full_key(key))

    async def get_or_set(
        self, key: str, factory: Callable[[], Any], *, tags: Iterable[str] = (), **options: Any
    ) -> Any:
        """Returns the fresh value; on a miss calls `factory` and caches its result.

        Only one caller at a time calls the factory, across threads, tasks and the processes that share a Redis. The
        factory is a function or a coroutine function, and may return `FactoryResult`. `options`: see Options. Raises
        the factory's exception if there is no stale value to serve, and TimeoutError after `hard_timeout`.
        """
        full = self._full_key(key)
        entry = self._local.hit(full) or await self.levels.find(full, self.namespace)
        changed = self._options(options)
        if entry is None or not entry.is_fresh():
            return await self._make_once(_Request(full, factory, changed, checked_tags(tags), entry))
        if entry.is_due(changed.eager):
            self._refresh(_Request(full, factory, changed, checked_tags(tags), entry, is_early=True))
        return entry.read()

    async def invalidate_tags(self, *tags: str) -> None:
        """Invalidates every entry that has one of these tags, in every process."""
        await self.levels.invalidate_tags(checked_tags(tags))

    async def clear(self) -> None:
        """Invalidates every entry of this namespace, in every process."""
        await self.levels.invalidate_tags((self.namespace.tag,))

    async def warm(self, keys: Iterable[str]) -> int:
        """Loads entries from disk and Redis into memory; returns how many of the keys have a fresh value."""
        return sum([await self._find_fresh(self._full_key(key)) is not None for key in keys])

    def cached(self, key: Callable[..., str], *, tags: Iterable[str] = (), **options: Any) -> Any:
        """Returns a decorator that caches a function's results; `key` computes the key from the arguments."""
        return decorator(self, key, tags, options)

    def stats(self) -> dict[str, dict[str, Any]]:
        """Returns the counts of each level, summed over all namespaces of this process.

        The names are hits, misses, stale, errors, evictions, hit_rate, p50_s and p99_s (seconds, None without a
        call). Memory and disk also have bytes and entries.
        """
        local = self._local
        found = {name: stats.as_dict() for name, stats in local.stats.items()}
        found["memory"] |= local.memory.sizes()
        found["disk"] |= local.disk.sizes() if local.disk is not None else {}
        return found

    async def close(self) -> None:
        """Closes the connections of this event loop; the levels stay open."""
        if self.levels.redis is not None:
            await self.levels.redis.client.close()

    def _full_key(self, key: str) -> str:
        """Returns the key with its namespace. Raises ValueError for a key that has NUL or is not valid Unicode."""
        full = self.prefix + key
        if len(full.encode()) > MAX_KEY_BYTES:
            # keyed by the secret, so that a caller cannot choose a short key that collides
            full = f"{self.prefix}#{hmac.digest(self._local.secret, key.encode(), 'sha256').hex()}"
        if "\0" in full:
            raise ValueError(f"{key!r} contains NUL: remove it from the key")
        return full

    def _options(self, changes: dict[str, Any]) -> Options:
        return replace(self.options, **changes) if changes else self.options

    async def _find_fresh(self, full: str) -> Entry | None:
        entry = await self.levels.find(full, self.namespace)
        return entry if entry is not None and entry.is_fresh() else None

    async def _versions(self, tags: tuple[str, ...]) -> Versions:
        return await self.levels.versions((*tags, self.namespace.tag))

    def _change_number(self, full: str) -> int:
        return self._local.board.numbers[self._local.board.slot(full)]

    # --- single flight

    async def _make_once(self, request: _Request) -> Any:
        while True:
            flight = (request.key, self._change_number(request.key), await self._versions(request.tags))
            try:
                outcome, is_leader = await self._join(request, flight)
            except _LeaderEnded:
                continue
            # a caller that arrived after a change is not served a value from before it
            if is_leader or not outcome.is_outdated:
                return outcome.entry.read() if outcome.entry is not None else outcome.value
            request = replace(request, stale=None)

    def _refresh(self, request: _Request) -> None:
        """Refreshes a value in the background."""
        known = self._local.tags.known
        versions = tuple((tag, known.get(tag, 0)) for tag in (*request.tags, self.namespace.tag))
        if all(version for _, version in versions):  # otherwise they are fetched when the value has expired
            flight, done = (request.key, self._change_number(request.key), versions), Future()
            if self.flights.setdefault(flight, done) is done:
                self.driver.start(self._lead(request, flight, done), in_background=True)

    async def _join(self, request: _Request, flight: Flight) -> tuple[_Outcome, bool]:
        """Waits for the flight, or starts it; returns the outcome and whether this caller led the flight.

        The outcome is the stale value if the factory takes too long. Raises TimeoutError if there is none.
        """
        options, stale, own = request.options, request.stale, Future()
        is_soft = stale is not None and options.soft_timeout is not None
        seconds = options.soft_timeout if is_soft else options.hard_timeout
        done = self.flights.setdefault(flight, own)
        if done is own:
            self.driver.start(self._lead(request, flight, done), in_background=seconds is not None)
        try:
            return await self.driver.wait(done, seconds), done is own
        except TimeoutError:
            if done.done():  # the factory raised it
                return done.result(), done is own
            if stale is not None and await self.levels.is_valid(stale):
                self._stats.stale += 1
                return _Outcome(None, stale), True
            if not is_soft:
                raise
            return await self._join(replace(request, stale=None), flight)

    async def _lead(self, request: _Request, flight: Flight, done: Future[Any]) -> None:
        """Calls the factory and passes its result or its exception to all callers of the flight."""
        outcome: Any = _LeaderEnded()  # replaced unless this thread or task ends early
        try:
            outcome = await self._make_or_find(request, flight)
        except Exception as error:
            outcome = error
        finally:
            del self.flights[flight]
            if isinstance(outcome, Exception):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)

    # --- calling the factory

    async def _make_or_find(self, request: _Request, flight: Flight) -> _Outcome:
        """Calls the factory, or waits for the value from another process that holds the lease."""
        pause, token = 0.005, uuid.uuid4().hex
        while True:
            clock = await self.levels.take_lease(request.key, token)
            try:
                # another process may have stored it before this one took the lease
                entry = None if request.is_early else await self._find_fresh(request.key)
                if entry is not None:
                    return _Outcome(None, entry)
                if clock != 0:
                    return await self._make(request, flight, token, clock)
            finally:
                if clock:
                    await self.levels.release(request.key, token)
            if request.is_early:
                return _Outcome(None, request.stale)
            await self.driver.sleep(pause)
            pause = min(pause * 1.5, MAX_PAUSE_S)

    async def _make(self, request: _Request, flight: Flight, token: str, clock: int | None) -> _Outcome:
        started, checked_at, tags = perf_counter(), monotonic(), self._local.tags
        revision = tags.revision
        try:
            returned = await self.driver.call(request.factory)
        except Exception as error:  # any exception of the factory is passed on, unless there is a stale value
            self._stats.count(False, started)
            self._stats.errors += 1
            if request.stale is None or not await self.levels.is_valid(request.stale):
                raise
            log.warning("%s: the factory failed, so the stale value is served: %r", request.key, error)
            return self._throttled(request.key, request.stale)
        self._stats.count(True, started)
        result = returned if isinstance(returned, FactoryResult) else FactoryResult(returned)
        _, change_number, before = flight
        versions = await self._add_factory_tags(before, result.tags, clock, revision)
        if versions is None or self._change_number(request.key) != change_number or tags.check(before) is False:
            return _Outcome(result.value, is_outdated=True)
        entry = self._entry(request.key, result.value, request.options.life(result.ttl), versions, checked_at)
        if entry is None or result.ttl == 0:
            return _Outcome(result.value)
        is_stored = await self.levels.store(request.key, entry, self.namespace, change_number, token if clock else None)
        return _Outcome(None, entry, is_outdated=not is_stored)

    def _throttled(self, key: str, stale: Entry) -> _Outcome:
        self._stats.stale += 1
        stale.throttle(THROTTLE_S)
        self._local.promote(key, stale, to_disk=False)
        return _Outcome(None, stale)

    async def _add_factory_tags(self, versions: Versions, tags: Iterable[str], clock: int | None, revision: int) -> Any:
        """Adds the versions of the tags that the factory returned; None if one of them may have changed meanwhile.

        A new tag gets the clock number of the lease. A tag that was invalidated since then has a higher version.
        """
        added = [tag for tag in checked_tags(tags) if tag not in dict(versions)]
        if not added:
            return versions
        found = await self.levels.versions(added, new=clock or 0)
        has_changed = any(version > clock for _, version in found) if clock else self._local.tags.revision != revision
        return None if has_changed else versions + found

    def _entry(self, full: str, value: Any, life: Life, versions: Versions, checked_at: float) -> Entry | None:
        """Creates an entry; None if the value is larger than MAX_BYTES."""
        if len(versions) - 1 > MAX_TAGS:  # without the tag of the namespace
            raise ValueError(f"{len(versions) - 1} tags: a value has at most {MAX_TAGS}")
        try:
            payload = encode(value)
        except ValueError:
            return None
        try:
            # decoded as it will be read later, so that every caller gets an equal value
            value = decode(payload, self.namespace.kind)
        except InvalidEntry as error:
            raise TypeError(f"a value of {self.namespace.tag} is not a {self.namespace.kind}: {error}") from error
        entry = Entry(self.namespace.kind, payload, value, life, versions)
        self._local.bind(full, entry, self.namespace, self._change_number(full), checked_at)
        return entry


def decorator(cache: Any, key: Callable[..., str], tags: Iterable[str], options: dict[str, Any]) -> Any:
    """Returns the decorator that `Cache.cached` and `AsyncCache.cached` share."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            factory = functools.partial(function, *args, **kwargs)
            return cache.get_or_set(key(*args, **kwargs), factory, tags=tags, **options)

        return call

    return wrap
