"""The Redis level: what is asked of Redis. An error or a timeout is a miss, never more.

What must not get lost while Redis is away (drops of keys and tags) is kept and said first when it is back.
"""

import hashlib
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import lmdb

from resources.cache import scripts
from resources.cache.breaker import Breaker
from resources.cache.pending import Pending, keys_of, tags_of

if TYPE_CHECKING:
    from resources.cache.redis_client import BlockingClient, LoopClient
    from resources.cache.waiting import Blocking, Looping

MOST_OF_VALUE = 1 << 20
STREAM_LENGTH = 50_000  # changes; a machine that was away for more empties its disk level
MOST_AT_ONCE = 16
LEASE_MS = 3_000  # renewed every second by who holds it
AWAY = object()  # what `ask` gives when Redis could not be asked

Answer = Coroutine[Any, Any, Any]
Execute = Callable[..., Answer]


class Lost(Exception):
    """No answer came."""


class Ended(Lost):
    """The connection had ended, or none could be made."""


class Refused(Exception):
    """Redis answers, and will not: it is out of memory, read-only, or gives no right."""


class NoScript(Refused):
    """Redis does not know the script any more."""


class RedisLevel:
    """Where Redis is and how it does. `prefix` keeps caches with another secret apart."""

    def __init__(self, url: str, prefix: str, timeout_s: float, open_s: float) -> None:
        self.url, self.prefix = url, prefix
        self.timeout_s = timeout_s
        self.breaker = Breaker(open_s, timeout_s)
        self.stream = f"{prefix}changes"
        self.birth = f"{prefix}birth"
        self.clock = f"{prefix}clock"
        self.beat = f"{prefix}beat"
        self.sender = os.urandom(8).hex()
        self.pending = Pending()
        self.leases: dict[str, str] = {}  # held by this process: key and token
        self.errors = 0
        self._digests: dict[str, str] = {}

    def client(self, more_s: float = 0.0) -> "BlockingClient":
        """A client for threads; `more_s`: how much longer it waits for answers."""
        from resources.cache.redis_client import BlockingClient

        return BlockingClient(self.url, self.timeout_s, more_s)

    def loop_client(self) -> "LoopClient":
        """A client for one loop of asyncio."""
        from resources.cache.redis_client import LoopClient

        return LoopClient(self.url, self.timeout_s)

    def entry(self, key: str) -> str:
        return f"{self.prefix}e:{key}"

    def lease(self, key: str) -> str:
        return f"{self.prefix}l:{key}"

    def tag(self, tag: str) -> str:
        return f"{self.prefix}t:{tag}"

    async def ask(self, asking: "Blocking | Looping", script: str, keys: list[str], *arguments: Any) -> Any:
        """What Redis answers, AWAY if it does not or must be left alone."""
        assert asking.client is not None
        async with asking.turn:  # who waits for others does not wait for Redis
            if not self.breaker.admits():
                return AWAY
            started = time.monotonic()
            try:
                if self.pending:
                    await self.say_pending(asking.client.execute)
                answer = await self._run(asking.client.execute, script, keys, arguments)
            except Refused:
                self.errors += 1
                answer = AWAY
            except (Lost, lmdb.Error, OSError, ValueError):
                self.errors += 1
                self.breaker.failed(time.monotonic() - started)
                return AWAY
            self.breaker.succeeded(time.monotonic() - started)
            return answer

    async def _run(self, execute: Execute, script: str, keys: list[str], arguments: Sequence[Any]) -> Any:
        digest = self._digests.get(script)
        if digest is None:
            digest = self._digests[script] = hashlib.sha1(script.encode()).hexdigest()
        try:
            return await execute("EVALSHA", digest, len(keys), *keys, *arguments)
        except NoScript:
            return await execute("EVAL", script, len(keys), *keys, *arguments)

    def drop(self, asking: "Blocking | Looping", keys: dict[str, str]) -> Answer:
        """Drops entries, here and in the memory of every process, and takes away the leases of who makes them anew.
        `keys`: with the disk level that has dropped each already."""
        names, arguments = self._drop_arguments(keys)
        return self.ask(asking, scripts.DROP, names, *arguments)

    def key_message(self, key: str, disk: str) -> str:
        return f"{self.sender}\0k\0{key}\0{disk}"

    def store(self, asking: "Blocking | Looping", key: str, disk: str, token: str, entry: bytes, ms: int) -> Answer:
        """1 if the entry was stored, 0 if the lease `token` was lost meanwhile ('' needs none)."""
        names = [self.entry(key), self.lease(key), self.stream]
        message = self.key_message(key, disk)
        return self.ask(asking, scripts.STORE, names, token, entry, ms, STREAM_LENGTH, message)

    def take_lease(self, asking: "Blocking | Looping", key: str, token: str) -> Answer:
        """Whether the lease to make an entry is ours now, and the clock of tags."""
        return self.ask(asking, scripts.LEASE, [self.lease(key), self.clock], token, LEASE_MS)

    def release(self, asking: "Blocking | Looping", key: str, token: str) -> Answer:
        return self.ask(asking, scripts.RELEASE, [self.lease(key)], token)

    def read(self, asking: "Blocking | Looping", key: str) -> Answer:
        """The bytes of an entry or None, and for how many ms it is still there."""
        return self.ask(asking, scripts.READ, [self.entry(key)])

    def bump(self, asking: "Blocking | Looping", versions: dict[str, int]) -> Answer:
        """Gives tags newer versions than these, and tells every process. The versions in the order given."""
        names, arguments = self._bump_arguments(versions, self.sender)
        return self.ask(asking, scripts.BUMP, names, *arguments)

    def versions(self, asking: "Blocking | Looping", tags: Sequence[str]) -> Answer:
        """The clock of tags, then for each its version and whether it had none before."""
        return self.ask(asking, scripts.TAGS, [self.clock, *map(self.tag, tags)])

    def _bump_arguments(self, versions: dict[str, int], sender: str) -> tuple[list[str], list[Any]]:
        names = [self.clock, self.stream, *map(self.tag, versions)]
        each = (argument for tag, least in versions.items() for argument in (least, f"{sender}\0t\0{tag}\0"))
        return names, [STREAM_LENGTH, *each]

    def _drop_arguments(self, keys: dict[str, str]) -> tuple[list[str], list[Any]]:
        names = [name for key in keys for name in (self.entry(key), self.lease(key))]
        return [self.stream, *names], [STREAM_LENGTH, *(self.key_message(key, disk) for key, disk in keys.items())]

    async def say_pending(self, execute: Execute) -> None:
        """Tells Redis what it has not heard. Raises Refused, Lost and lmdb.Error."""
        drops = self.pending.all()
        keys, tags = keys_of(drops), tags_of(drops)
        if tags:
            # in nobody's name: this process has to hear the versions, too
            names, arguments = self._bump_arguments(tags, "")
            await self._run(execute, scripts.BUMP, names, arguments)
        if keys:
            names, arguments = self._drop_arguments(keys)
            await self._run(execute, scripts.DROP, names, arguments)
        self.pending.said(drops)
