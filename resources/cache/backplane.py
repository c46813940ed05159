"""Hears from Redis what other processes changed, and renews leases.

Pub/sub loses what is sent while a connection is down, so after each connection memory is cleared.
"""

import threading
from typing import Any

from resources.cache.drivers import drive
from resources.cache.local_levels import LocalLevels
from resources.cache.redis_client import SyncClient, translated, wait_without_limit, wake
from resources.cache.redis_errors import Refused, Unreachable
from resources.cache.redis_level import RedisLevel

BEAT_S = 1.0  # how soon a Redis that hangs is noticed, and how often leases are renewed
RETRY_S = 0.25
PATIENCE_S = 1.0  # beyond the timeout: a late beat is no reason to clear memory
MAX_MESSAGE_BYTES = 4096


class Backplane:
    """Two threads: one listens, one finds out whether the connection is still good."""

    def __init__(self, redis: RedisLevel, local: LocalLevels) -> None:
        self._local, self._client = local, SyncClient(redis.url, redis.timeout_s)
        self._redis = redis.with_client(SyncClient(redis.url, redis.timeout_s + PATIENCE_S))
        self._connection: Any = None
        self._ended, self._listens = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=run, name="cache", daemon=True) for run in (self._listen, self._beat)]
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether it listens, at the latest after `seconds`."""
        return self._listens.wait(seconds)

    def close(self) -> None:
        self._ended.set()
        wake(self._connection)
        for thread in self._threads:
            thread.join(2 * BEAT_S)
        self._redis.client.close()

    def _listen(self) -> None:
        while not self._ended.is_set():
            connection = self._connection = self._client.connect()
            try:
                drive(self._client.ask(connection, "SUBSCRIBE", self._redis.channel))
                wait_without_limit(connection)
                self._local.listens_now()
                self._redis.reported.clear()
                self._listens.set()
                while not self._ended.is_set():
                    message: Any = connection.read_response()
                    self.hear(message[-1])
            except Exception as error:  # whatever it is: a cache that no longer listens would serve outdated values
                if not self._ended.is_set():
                    self._redis.report(error if isinstance(error, Unreachable | Refused) else translated(error))
            finally:
                connection.disconnect()
            self._ended.wait(RETRY_S)

    def _beat(self) -> None:
        known = None
        while not self._ended.wait(BEAT_S):
            try:
                birth = drive(self._redis.beat())
                if known not in (None, birth):
                    self._local.listens_now()  # Redis was flushed: versions of tags are others
                known = birth
            except Refused as error:
                self._redis.report(error)
            except Unreachable as error:
                self._redis.report(error)
                wake(self._connection)

    def hear(self, message: Any) -> None:
        """A key with the disk whose processes know already, or a tag with its version; anything else is ignored."""
        text = message[:MAX_MESSAGE_BYTES].decode(errors="replace") if isinstance(message, bytes) else ""
        match text.split("\0"):
            case ["k", disk, key] if disk != str(self._local.board.identity):
                self._local.delete(key)
            case ["t", version, tag] if version.isdecimal() and len(version) < 19:
                self._local.tags.move({tag: int(version)})
