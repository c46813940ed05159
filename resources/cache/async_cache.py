"""What the cache does with a key, written once as coroutines, which `Cache` drives in threads.

All waiting goes through the driver, whose form for threads never suspends. A key goes from here to the levels and back.
"""

import functools
import hmac
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
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
THROTTLE_S = 1.0  # a factory that failed is not called again sooner while there is an old value
MAX_PAUSE_S = 0.1
log = logging.getLogger("crates.cache")

# a value in the making: its key, the number of the key's slot and the versions of its tags before the factory began. A
# caller that came after a change does not join
Flight = tuple[str, int, Versions]
Flights = dict[Flight, Future[Any]]


class _LeaderEnded(Exception):
    """The thread or task that led the flight ended before its factory did."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Of a flight. `is_outdated`: the key or a tag has changed since it began, so the value was not cached."""

    value: Any
    entry: Entry | None = None
    is_outdated: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    """One `get_or_set`. `stale`: what can be served instead; `is_early`: it is still fresh."""

    key: str
    factory: Callable[[], Any]
    options: Options
    tags: tuple[str, ...]
    stale: Entry | None = None
    is_early: bool = False


class AsyncCache:
    """The cache of one namespace, for one event loop. `Cache` has the same methods for threads."""

    def __init__(self, levels: Levels, driver: Driver, flights: Flights, namespace: Namespace, options: Options):
        """`flights`: those of the process."""
        self.levels, self.driver, self.flights = levels, driver, flights
        self.namespace, self.options, self.prefix = namespace, options, f"{namespace.tag}/"
        self._local, self._stats = levels.local, levels.local.stats["factory"]

    async def get(self, key: str, default: Any = None) -> Any:
        """The fresh value, or `default`."""
        # a key that `_full` changes or refuses is in no memory under its own name
        entry = self._local.hit(self.prefix + key) or await self._find(self._full(key))
        return entry.read() if entry is not None else default

    async def set(self, key: str, value: Any, *, tags: Iterable[str] = (), **options: Any) -> None:
        """Raises TypeError for a value that is not of the namespace's type, ValueError for tags and options."""
        full, life, checked_at = self._full(key), self._options(options).life(), monotonic()
        mark = self._local.board.change(self._local.board.slot(full))
        entry = self._entry(full, value, life, await self._versions(checked_tags(tags)), checked_at)
        if entry is None:
            await self.levels.delete(full)
        else:
            await self.levels.store(full, entry, self.namespace, mark)

    async def delete(self, key: str) -> None:
        """Deletes the value in every level."""
        await self.levels.delete(self._full(key))

    async def get_or_set(
        self, key: str, factory: Callable[[], Any], *, tags: Iterable[str] = (), **options: Any
    ) -> Any:
        """The fresh value, else what `factory` makes, which one caller at a time calls, over all processes on a Redis.

        The factory is a function or a coroutine function, and may return `FactoryResult`. `options`: see Options.
        Raises what the factory raises if there is no old value to serve, and TimeoutError after `hard_timeout`.
        """
        full = self._full(key)
        entry = self._local.hit(full) or await self.levels.find(full, self.namespace)
        changed = self._options(options)
        if entry is None or not entry.is_fresh():
            return await self._make_once(_Request(full, factory, changed, checked_tags(tags), entry))
        if entry.is_due(changed.eager):
            self._refresh(_Request(full, factory, changed, checked_tags(tags), entry, is_early=True))
        return entry.read()

    async def invalidate_tags(self, *tags: str) -> None:
        """Makes every entry with one of these tags invalid, in every process."""
        await self.levels.invalidate_tags(checked_tags(tags))

    async def clear(self) -> None:
        """Makes every entry of this namespace invalid, in every process."""
        await self.levels.invalidate_tags((self.namespace.tag,))

    async def warm(self, items: Mapping[str, Any] | Iterable[str], *, tags: Iterable[str] = ()) -> int:
        """Brings entries into memory: values by key, or keys that slower levels hold. The number of entries."""
        if isinstance(items, Mapping):
            for key, value in items.items():
                await self.set(key, value, tags=tags)
            return len(items)
        return sum([await self._find(self._full(key)) is not None for key in items])

    def cached(self, key: Callable[..., str], *, tags: Iterable[str] = (), **options: Any) -> Any:
        """Decorates a function: `key` makes the key of its arguments."""
        return decorator(self, key, tags, options)

    def stats(self) -> dict[str, dict[str, Any]]:
        """Of each level, over all namespaces of this process: hits, misses, stale, errors, evictions, hit_rate, p50_s
        and p99_s (None without a call), and of memory and disk bytes and entries."""
        local = self._local
        found = {name: stats.as_dict() for name, stats in local.stats.items()}
        found["memory"] |= local.memory.sizes()
        found["disk"] |= local.disk.sizes() if local.disk is not None else {}
        return found

    async def close(self) -> None:
        """Ends this loop's connections; the levels stay open."""
        if self.levels.redis is not None:
            await self.levels.redis.client.close()

    def _full(self, key: str) -> str:
        """The key in the levels. Raises ValueError for a key with NUL, or that is not valid Unicode."""
        full = self.prefix + key
        if len(full.encode()) > MAX_KEY_BYTES:
            # with the secret, so that no short key can be chosen to match
            full = f"{self.prefix}#{hmac.digest(self._local.secret, key.encode(), 'sha256').hex()}"
        if "\0" in full:
            raise ValueError(f"{key!r}: a key has no NUL")
        return full

    def _options(self, changes: dict[str, Any]) -> Options:
        return replace(self.options, **changes) if changes else self.options

    async def _find(self, full: str) -> Entry | None:
        entry = await self.levels.find(full, self.namespace)
        return entry if entry is not None and entry.is_fresh() else None

    async def _versions(self, tags: tuple[str, ...]) -> Versions:
        return await self.levels.versions((*tags, self.namespace.tag))

    def _mark(self, full: str) -> int:
        return self._local.board.words[self._local.board.slot(full)]

    # --- waiting for a value

    async def _make_once(self, request: _Request) -> Any:
        while True:
            flight = (request.key, self._mark(request.key), await self._versions(request.tags))
            try:
                outcome, is_leader = await self._join(request, flight)
            except _LeaderEnded:
                continue
            # a caller that came after a change is not served what began before it
            if is_leader or not outcome.is_outdated:
                return outcome.entry.read() if outcome.entry is not None else outcome.value
            request = replace(request, stale=None)

    def _refresh(self, request: _Request) -> None:
        """Starts to make a fresh value again in the background."""
        known = self._local.tags.known
        versions = tuple((tag, known.get(tag, 0)) for tag in (*request.tags, self.namespace.tag))
        if all(version for _, version in versions):  # else they are asked for when the value has expired
            flight, done = (request.key, self._mark(request.key), versions), Future()
            if self.flights.setdefault(flight, done) is done:
                self.driver.start(self._lead(request, flight, done), in_background=True)

    async def _join(self, request: _Request, flight: Flight) -> tuple[_Outcome, bool]:
        """What the flight brings, or the stale value if that takes too long, and whether this caller led it. Raises
        TimeoutError."""
        options, stale, own = request.options, request.stale, Future()
        is_soft = stale is not None and options.soft_timeout is not None
        seconds = options.soft_timeout if is_soft else options.hard_timeout
        done = self.flights.setdefault(flight, own)
        if done is own:
            self.driver.start(self._lead(request, flight, done), in_background=seconds is not None)
        try:
            return await self.driver.wait(done, seconds), done is own
        except TimeoutError:
            if done.done():  # it was the factory's own
                return done.result(), done is own
            if stale is not None and await self.levels.is_valid(stale):
                self._stats.stale += 1
                return _Outcome(None, stale), True
            if not is_soft:
                raise
            return await self._join(replace(request, stale=None), flight)

    async def _lead(self, request: _Request, flight: Flight, done: Future[Any]) -> None:
        """Makes the value; whatever comes of it, an error too, is the flight's."""
        outcome: Any = _LeaderEnded()  # unless this thread or task lives on
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

    # --- making a value

    async def _make_or_find(self, request: _Request, flight: Flight) -> _Outcome:
        """The value, made here, or by another process meanwhile."""
        pause, token = 0.005, uuid.uuid4().hex
        while True:
            clock = await self.levels.take_lease(request.key, token)
            try:
                # it may have been made between the first look and the lease
                entry = None if request.is_early else await self._find(request.key)
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
        moves = tags.moves
        try:
            made = await self.driver.call(request.factory)
        except Exception as error:  # whatever a factory raises: the caller gets it, or the stale value
            self._stats.count(False, started)
            self._stats.errors += 1
            if request.stale is None or not await self.levels.is_valid(request.stale):
                raise
            log.warning("%s: the old value is served because its factory failed: %r", request.key, error)
            return self._throttled(request.key, request.stale)
        self._stats.count(True, started)
        result = made if isinstance(made, FactoryResult) else FactoryResult(made)
        _, mark, before = flight
        versions = await self._with_late_tags(before, result.tags, clock, moves)
        if versions is None or self._mark(request.key) != mark or tags.judge(before) is False:
            return _Outcome(result.value, is_outdated=True)
        entry = self._entry(request.key, result.value, request.options.life(result.ttl), versions, checked_at)
        if entry is None or result.ttl == 0:
            return _Outcome(result.value)
        is_stored = await self.levels.store(request.key, entry, self.namespace, mark, token if clock else None)
        return _Outcome(None, entry, is_outdated=not is_stored)

    def _throttled(self, key: str, stale: Entry) -> _Outcome:
        self._stats.stale += 1
        stale.throttle(THROTTLE_S)
        self._local.promote(key, stale, to_disk=False)
        return _Outcome(None, stale)

    async def _with_late_tags(self, versions: Versions, tags: Iterable[str], clock: int | None, moves: int) -> Any:
        """With the tags that only the factory knew; None if one of them may have changed since it began. A tag that is
        new gets the number of the lease, and one that was invalidated since then has a higher one."""
        late = [tag for tag in checked_tags(tags) if tag not in dict(versions)]
        if not late:
            return versions
        found = await self.levels.versions(late, new=clock or 0)
        has_changed = any(version > clock for _, version in found) if clock else self._local.tags.moves != moves
        return None if has_changed else versions + found

    def _entry(self, full: str, value: Any, life: Life, versions: Versions, checked_at: float) -> Entry | None:
        """None if it is too large for any level."""
        if len(versions) - 1 > MAX_TAGS:  # beside the namespace's own
            raise ValueError(f"{len(versions) - 1} tags: a value has at most {MAX_TAGS}")
        try:
            payload = encode(value)
        except ValueError:
            return None
        try:
            # as it will be read later: every caller is served the same
            value = decode(payload, self.namespace.kind)
        except InvalidEntry as error:
            raise TypeError(f"a value of {self.namespace.tag} is not a {self.namespace.kind}: {error}") from error
        entry = Entry(self.namespace.kind, payload, value, life, versions)
        self._local.place(full, entry, self.namespace, self._mark(full), checked_at)
        return entry


def decorator(cache: Any, key: Callable[..., str], tags: Iterable[str], options: dict[str, Any]) -> Any:
    """Of `cached`, for either form of the cache."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            made = functools.partial(function, *args, **kwargs)
            return cache.get_or_set(key(*args, **kwargs), made, tags=tags, **options)

        return call

    return wrap
