"""The Redis level. An error or a timeout counts as a miss.

Deletions and invalidations that did not reach Redis are queued in this process and replayed before the next read.
"""

import copy
import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from resources.cache import redis_scripts as scripts
from resources.cache.breaker import Breaker
from resources.cache.change_board import REDIS_OUTDATED_UNTIL, ChangeBoard
from resources.cache.redis_errors import NoScript, Refused, Unreachable
from resources.cache.stats import LevelStats

if TYPE_CHECKING:
    from resources.cache.redis_client import RedisClient

MAX_VALUE = 1 << 20
MAX_PENDING_KEYS = 1_000  # with more, their namespaces are cleared instead
# Redis is not read for this long after it missed a change; each heartbeat renews this until the replay
OUTDATED_S = 2.0
LEASE_MS = 3_000  # the holder renews it every second
UNAVAILABLE: Any = object()  # the result if Redis could not be used
log = logging.getLogger("crates.cache")


class Pending:
    """Deletions and invalidations that have not reached Redis."""

    def __init__(self) -> None:
        self.keys: dict[str, object] = {}
        self.tags: dict[str, object] = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self.keys or self.tags)

    def add(self, *, keys: Iterable[str] = (), tags: Iterable[str] = ()) -> None:
        with self._lock:
            self.keys |= {key: object() for key in keys}
            self.tags |= {tag: object() for tag in tags}
            if len(self.keys) > MAX_PENDING_KEYS:
                self.tags |= {key.partition("/")[0]: object() for key in self.keys}
                self.keys = {}

    def remove(self, keys: Mapping[str, object], tags: Mapping[str, object]) -> None:
        """Removes replayed changes, except those that were added again meanwhile."""
        with self._lock:
            self.keys = {key: added for key, added in self.keys.items() if keys.get(key) is not added}
            self.tags = {tag: added for tag, added in self.tags.items() if tags.get(tag) is not added}


class RedisLevel:
    """Entries, leases and tag versions in Redis. Methods return UNAVAILABLE if Redis does not answer."""

    client: "RedisClient"  # for threads or for one event loop: see `with_client`

    def __init__(self, url: str, prefix: str, timeout_s: float, open_s: float, board: ChangeBoard, stats: LevelStats):
        """`prefix` begins all names in Redis; it separates caches with different secrets."""
        self.url, self.prefix, self.timeout_s, self._board, self._stats = url, prefix, timeout_s, board, stats
        self.channel, self._clock = f"{prefix}changes", f"{prefix}clock"
        self.pending = Pending()
        self.reported: set[str] = set()  # messages already logged; cleared when Redis answers again
        self._breaker = Breaker(open_s, timeout_s)
        self._leases: dict[str, str] = {}  # held by this process: key and token
        self._digests: dict[str, str] = {}

    def with_client(self, client: "RedisClient") -> "RedisLevel":
        """Returns a copy that uses other connections and shares all other state."""
        other = copy.copy(self)
        other.client = client
        return other

    def report(self, error: Exception) -> None:
        """Counts a failure, and logs each message once."""
        self._stats.errors += 1
        if str(error) not in self.reported:
            self.reported.add(str(error))
            shown = self.url.rpartition("@")[2].partition("?")[0]  # without the password
            log.warning("the cache is used without Redis at %s: %s", shown, error)

    def entry(self, key: str) -> str:
        return f"{self.prefix}e:{key}"

    def lease(self, key: str) -> str:
        return f"{self.prefix}l:{key}"

    async def read(self, key: str) -> Any:
        """The bytes of an entry or None, and for how many ms it is still there."""
        return UNAVAILABLE if self._is_outdated() else await self._call(scripts.READ, [self.entry(key)])

    async def store(self, key: str, token: str, sealed: bytes, ms: int, is_announced: bool) -> Any:
        """Stores an entry for `ms`; returns 1, or 0 if the lease `token` was lost ('' requires none)."""
        message = self._message(key) if is_announced else ""
        names = [self.entry(key), self.lease(key)]
        return await self._call(scripts.STORE, names, token, sealed, ms, self.channel, message)

    async def delete(self, key: str) -> None:
        """Deletes an entry and its lease, so that a factory in progress cannot store an outdated value."""
        if await self._call(*self._delete_command([key])) is UNAVAILABLE:
            self.pending.add(keys=[key])
            self._mark_outdated()

    async def take_lease(self, key: str, token: str) -> int:
        """Takes the lease; returns a number of the tags' clock, or 0 if another process holds the lease."""
        clock = await self._call(scripts.LEASE, [self._clock, self.lease(key)], token, LEASE_MS)
        if clock is not UNAVAILABLE and clock:
            self._leases[key] = token
        return clock

    async def release(self, key: str, token: str) -> None:
        if self._leases.get(key) == token:
            del self._leases[key]
            await self._call(scripts.RELEASE, [self.lease(key)], token)

    async def tags(self, tags: Iterable[str], *, invalidate: bool = False, new: int = 0) -> Any:
        """Returns the versions of tags by name. A tag without a version gets `new`, or the clock's next number."""
        if self._is_outdated() and not invalidate:
            return UNAVAILABLE
        found = await self._call(*self._tags_command(tags, invalidate, new))
        if found is UNAVAILABLE and invalidate:
            self.pending.add(tags=tags)
            self._mark_outdated()
        return found if found is UNAVAILABLE else dict(zip(tags, found))

    async def heartbeat(self) -> bytes:
        """Renews the leases even if the breaker is open; returns the epoch of Redis. Raises Refused and Unreachable."""
        if self.pending:
            self._mark_outdated()
        await self._replay()
        leases = list(self._leases.items())
        names = [f"{self.prefix}epoch", *(self.lease(key) for key, _ in leases)]
        tokens = (token for _, token in leases)
        return await self._run(scripts.HEARTBEAT, names, os.urandom(8).hex(), LEASE_MS, *tokens)

    def _delete_command(self, keys: Iterable[str]) -> tuple[Any, ...]:
        names = [name for key in keys for name in (self.entry(key), self.lease(key))]
        return scripts.DELETE, names, self.channel, *map(self._message, keys)

    def _tags_command(self, tags: Iterable[str], invalidate: bool, new: int) -> tuple[Any, ...]:
        names = [self._clock, *(f"{self.prefix}t:{tag}" for tag in tags)]
        return scripts.TAGS, names, self.channel, int(invalidate), new, *tags

    def _message(self, key: str) -> str:
        return f"k\0{self._board.identity}\0{key}"

    def _mark_outdated(self) -> None:
        """Stops all processes of this disk from reading Redis while it has an outdated value."""
        self._board.numbers[REDIS_OUTDATED_UNTIL] = round(1e3 * (time.monotonic() + OUTDATED_S))

    def _is_outdated(self) -> bool:
        return self._board.numbers[REDIS_OUTDATED_UNTIL] > 1e3 * time.monotonic()

    async def _call(self, script: str, names: list[str], *arguments: Any) -> Any:
        async with self.client.semaphore:  # this wait does not count as Redis's time
            if not self._breaker.admits():
                return UNAVAILABLE
            started = time.monotonic()
            try:
                await self._replay()
                answer = await self._run(script, names, *arguments)
            except Refused as error:
                self.report(error)
                answer = UNAVAILABLE
            except Unreachable as error:
                self.report(error)
                self._breaker.record(time.monotonic() - started, failed=True)
                return UNAVAILABLE
            self._breaker.record(time.monotonic() - started, failed=False)
            return answer

    async def _replay(self) -> None:
        """Sends the queued changes to Redis."""
        if self.pending:
            keys, tags = self.pending.keys.copy(), self.pending.tags.copy()
            if tags:
                await self._run(*self._tags_command(tags, True, 0))
            if keys:
                await self._run(*self._delete_command(keys))
            self.pending.remove(keys, tags)

    async def _run(self, script: str, names: list[str], *arguments: Any) -> Any:
        digest = self._digests.get(script)
        if digest is None:
            digest = self._digests[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            return await self.client.execute("EVALSHA", digest, len(names), *names, *arguments)
        except NoScript:
            return await self.client.execute("EVAL", script, len(names), *names, *arguments)
