"""Receives the changes of other processes over Redis pub/sub, and renews leases.

Pub/sub loses messages while a connection is down, so memory is cleared after each connection.
"""

import threading
from typing import Any

from resources.cache.drivers import drive
from resources.cache.local_levels import LocalLevels
from resources.cache.redis_client import SyncClient, convert_error, disable_read_timeout, interrupt
from resources.cache.redis_errors import Refused, Unreachable
from resources.cache.redis_level import RedisLevel

HEARTBEAT_S = 1.0  # interval of heartbeats: they detect a Redis that hangs, and renew leases
RETRY_S = 0.25
EXTRA_TIMEOUT_S = 1.0  # added to the timeout of heartbeats: a late answer must not clear memory
MAX_MESSAGE_BYTES = 4096


class Backplane:
    """Runs two threads: one receives messages, one checks that Redis still answers."""

    def __init__(self, redis: RedisLevel, local: LocalLevels) -> None:
        self._local, self._client = local, SyncClient(redis.url, redis.timeout_s)
        self._redis = redis.with_client(SyncClient(redis.url, redis.timeout_s + EXTRA_TIMEOUT_S))
        self._connection: Any = None
        self._ended, self._subscribed = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=run, name="cache", daemon=True) for run in (self._listen, self._heartbeat)
        ]
        for thread in self._threads:
            thread.start()

    def wait_until_subscribed(self, seconds: float) -> bool:
        """Waits at most `seconds` for the subscription; returns whether it is active."""
        return self._subscribed.wait(seconds)

    def close(self) -> None:
        self._ended.set()
        interrupt(self._connection)
        for thread in self._threads:
            thread.join(2 * HEARTBEAT_S)
        self._redis.client.close()

    def _listen(self) -> None:
        while not self._ended.is_set():
            connection = self._client.connect()
            try:
                drive(self._client.execute_on(connection, "SUBSCRIBE", self._redis.channel))
                # only from here on a heartbeat may interrupt it: before, it would hide why Redis refuses
                self._connection = connection
                disable_read_timeout(connection)
                self._local.clear_after_gap()
                self._redis.reported.clear()
                self._subscribed.set()
                while not self._ended.is_set():
                    message: Any = connection.read_response()
                    self.handle(message[-1])
            except Exception as error:  # any error ends in a new connection: without messages, values get outdated
                if not self._ended.is_set():
                    self._redis.report(error if isinstance(error, Unreachable | Refused) else convert_error(error))
            finally:
                self._connection = None
                connection.disconnect()
            self._ended.wait(RETRY_S)

    def _heartbeat(self) -> None:
        known = None
        while not self._ended.wait(HEARTBEAT_S):
            try:
                epoch = drive(self._redis.heartbeat())
                if known not in (None, epoch):
                    self._local.clear_after_gap()  # Redis was flushed, and tags have new versions
                known = epoch
            except Refused as error:
                self._redis.report(error)
            except Unreachable as error:
                self._redis.report(error)
                interrupt(self._connection)

    def handle(self, message: Any) -> None:
        """Applies a changed key (unless this disk has the change) or an invalidated tag; ignores other messages."""
        text = message[:MAX_MESSAGE_BYTES].decode(errors="replace") if isinstance(message, bytes) else ""
        match text.split("\0"):
            case ["k", disk, key] if disk != str(self._local.board.identity):
                self._local.delete(key)
            case ["t", version, tag] if version.isdecimal() and len(version) < 19:
                self._local.tags.invalidate({tag: int(version)})
