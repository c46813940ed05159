"""The Redis level: what is asked of Redis. An error or a timeout is a miss, never more.

Deletions and invalidations that Redis did not hear are queued in this process and replayed before anything is read.
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
from resources.cache.change_board import UNHEARD_UNTIL, ChangeBoard
from resources.cache.redis_errors import NoScript, Refused, Unreachable
from resources.cache.stats import LevelStats

if TYPE_CHECKING:
    from resources.cache.redis_client import RedisClient

MAX_VALUE = 1 << 20
MAX_PENDING_KEYS = 1_000  # beyond that their namespaces are cleared
UNHEARD_S = 2.0  # how long Redis is not read after it failed to hear a change; renewed by each beat until it does
LEASE_MS = 3_000  # renewed every second by the process that holds it
UNAVAILABLE: Any = object()  # the answer where Redis could not be asked
log = logging.getLogger("crates.cache")


class Pending:
    """Keys to delete and tags to invalidate that Redis has not heard of."""

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
        """What was added again meanwhile stays."""
        with self._lock:
            self.keys = {key: added for key, added in self.keys.items() if keys.get(key) is not added}
            self.tags = {tag: added for tag, added in self.tags.items() if tags.get(tag) is not added}


class RedisLevel:
    """Where Redis is, how it does and what is asked of it. UNAVAILABLE means no answer."""

    client: "RedisClient"  # for threads, or for one event loop: see `with_client`

    def __init__(self, url: str, prefix: str, timeout_s: float, open_s: float, board: ChangeBoard, stats: LevelStats):
        """`prefix` separates caches with another secret."""
        self.url, self.prefix, self.timeout_s, self._board, self._stats = url, prefix, timeout_s, board, stats
        self.channel, self._clock = f"{prefix}changes", f"{prefix}clock"
        self.pending = Pending()
        self.reported: set[str] = set()  # reasons, each logged once until Redis is well again
        self._breaker = Breaker(open_s, timeout_s)
        self._leases: dict[str, str] = {}  # held by this process: key and token
        self._digests: dict[str, str] = {}

    def with_client(self, client: "RedisClient") -> "RedisLevel":
        """The same level, asked over other connections."""
        other = copy.copy(self)
        other.client = client
        return other

    def report(self, error: Exception) -> None:
        """Counts a failure, and logs a reason that is new."""
        self._stats.errors += 1
        if str(error) not in self.reported:
            self.reported.add(str(error))
            shown = self.url.rpartition("@")[2].partition("?")[0]  # without the password
            log.warning("the cache goes on without Redis at %s: %s", shown, error)

    def entry(self, key: str) -> str:
        return f"{self.prefix}e:{key}"

    def lease(self, key: str) -> str:
        return f"{self.prefix}l:{key}"

    async def read(self, key: str) -> Any:
        """The bytes of an entry or None, and for how many ms it is still there."""
        return UNAVAILABLE if self._is_outdated() else await self._ask(scripts.READ, [self.entry(key)])

    async def store(self, key: str, token: str, sealed: bytes, ms: int, is_announced: bool) -> Any:
        """1 if the entry was stored, 0 if the lease `token` was lost meanwhile ('' needs none)."""
        message = self._message(key) if is_announced else ""
        names = [self.entry(key), self.lease(key)]
        return await self._ask(scripts.STORE, names, token, sealed, ms, self.channel, message)

    async def delete(self, key: str) -> None:
        """Deletes an entry, and takes the lease away from the process that makes it again."""
        if await self._ask(*self._deletion([key])) is UNAVAILABLE:
            self.pending.add(keys=[key])
            self._mark_outdated()

    async def take_lease(self, key: str, token: str) -> int:
        """A number of the tags' clock if the lease was taken, 0 if another process holds it."""
        clock = await self._ask(scripts.LEASE, [self._clock, self.lease(key)], token, LEASE_MS)
        if clock is not UNAVAILABLE and clock:
            self._leases[key] = token
        return clock

    async def release(self, key: str, token: str) -> None:
        if self._leases.get(key) == token:
            del self._leases[key]
            await self._ask(scripts.RELEASE, [self.lease(key)], token)

    async def tags(self, tags: Iterable[str], *, invalidate: bool = False, new: int = 0) -> Any:
        """The versions of tags by name. A tag that has none gets `new`, or the clock's next number."""
        if self._is_outdated() and not invalidate:
            return UNAVAILABLE
        found = await self._ask(*self._tag_question(tags, invalidate, new))
        if found is UNAVAILABLE and invalidate:
            self.pending.add(tags=tags)
            self._mark_outdated()
        return found if found is UNAVAILABLE else dict(zip(tags, found))

    async def beat(self) -> bytes:
        """Renews the leases, past the breaker. Redis's birth. Raises Refused and Unreachable."""
        if self.pending:
            self._mark_outdated()
        await self._replay()
        leases = list(self._leases.items())
        names = [f"{self.prefix}birth", *(self.lease(key) for key, _ in leases)]
        tokens = (token for _, token in leases)
        return await self._run(scripts.BEAT, names, os.urandom(8).hex(), LEASE_MS, *tokens)

    def _deletion(self, keys: Iterable[str]) -> tuple[Any, ...]:
        names = [name for key in keys for name in (self.entry(key), self.lease(key))]
        return scripts.DELETE, names, self.channel, *map(self._message, keys)

    def _tag_question(self, tags: Iterable[str], invalidate: bool, new: int) -> tuple[Any, ...]:
        names = [self._clock, *(f"{self.prefix}t:{tag}" for tag in tags)]
        return scripts.TAGS, names, self.channel, int(invalidate), new, *tags

    def _message(self, key: str) -> str:
        return f"k\0{self._board.identity}\0{key}"

    def _mark_outdated(self) -> None:
        """Has no process of this disk read from Redis what this one has deleted or invalidated."""
        self._board.words[UNHEARD_UNTIL] = round(1e3 * (time.monotonic() + UNHEARD_S))

    def _is_outdated(self) -> bool:
        return self._board.words[UNHEARD_UNTIL] > 1e3 * time.monotonic()

    async def _ask(self, script: str, names: list[str], *arguments: Any) -> Any:
        async with self.client.turn:  # waiting for other callers is not waiting for Redis
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
        """Has Redis hear what it has not."""
        if self.pending:
            keys, tags = self.pending.keys.copy(), self.pending.tags.copy()
            if tags:
                await self._run(*self._tag_question(tags, True, 0))
            if keys:
                await self._run(*self._deletion(keys))
            self.pending.remove(keys, tags)

    async def _run(self, script: str, names: list[str], *arguments: Any) -> Any:
        digest = self._digests.get(script)
        if digest is None:
            digest = self._digests[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            return await self.client.execute("EVALSHA", digest, len(names), *names, *arguments)
        except NoScript:
            return await self.client.execute("EVAL", script, len(names), *names, *arguments)
