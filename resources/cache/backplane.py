"""Hears from Redis what other processes and machines changed, in order and without gaps, and keeps leases.

It reads a stream, not a channel: what was said while nobody listened is read later. A disk level keeps its place in
the stream, so it knows what it missed while its machine was off; where the stream has no longer all of it, or Redis was
flushed, the level is emptied.
"""

import functools
import logging
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from resources.cache import scripts
from resources.cache.redis_level import LEASE_MS, Execute, RedisLevel, Refused
from resources.cache.waiting import drive

if TYPE_CHECKING:
    from resources.cache.levels import Levels

BLOCK_MS = 500
BEAT_S = 1.0  # how soon a flush is noticed
BATCH = 1000  # changes
MOST_OF_MESSAGE = 4096  # bytes
log = logging.getLogger("crates.cache")


class Backplane:
    """A thread that listens while the process lives."""

    def __init__(self, level: RedisLevel, levels: "Levels") -> None:
        self._level, self._levels = level, levels
        self._birth, self._place = self._kept = levels.place()
        self._client = level.client(more_s=BLOCK_MS / 1000 + BEAT_S)
        self._connection: Any = None
        self._ended = threading.Event()
        self._heard = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cache backplane", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether it listens, at the latest after `seconds`."""
        return self._heard.wait(seconds)

    def close(self) -> None:
        self._ended.set()
        self._client.wake(self._connection)
        self._thread.join(2 * BEAT_S)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                connection = self._connection = self._client.connect()
                try:
                    # always the same connection: who comes back has to look for his place
                    ask = functools.partial(self._client.ask, connection)
                    self._find_place(ask)
                    self._client.wake_once(connection)
                    self._listen(ask)
                finally:
                    connection.disconnect()
            except Exception as error:  # whatever it is: a cache that no longer hears is told of nothing
                if self._heard.is_set() and not self._ended.is_set():
                    log.warning("Redis can no longer be heard, the cache goes on without it: %s", error)
                self._heard.clear()
            self._ended.wait(BEAT_S / 4)

    def _find_place(self, ask: Execute) -> None:
        """Where to read on; forgets everything if the changes since are not all there."""
        level = self._level
        found = drive(ask("EVAL", scripts.JOIN, 2, level.birth, level.stream, os.urandom(8).hex()))
        birth, first, last = (part.decode() for part in found)
        if birth != self._birth or not _number(first) <= _number(self._place) <= _number(last):
            self._levels.forget_all()
            self._birth, self._place = birth, last
            self._keep_place()
        self._levels.view.forget_assumed()

    def _listen(self, ask: Execute) -> None:
        """Until Redis was flushed or the process ends. Raises Lost and Refused."""
        beat = 0.0
        while not self._ended.is_set():
            block = BLOCK_MS if self._heard.is_set() else 1
            # None or [[stream, [[place, [name, message]], …]]]
            found = drive(ask("XREAD", "COUNT", BATCH, "BLOCK", block, "STREAMS", self._level.stream, self._place))
            for place, fields in found[0][1] if found else ():
                self._tell(fields[1])
                self._place = place.decode()
            self._levels.view.contact = time.monotonic()  # all that was said up to now is known
            self._heard.set()
            if time.monotonic() - beat > BEAT_S:
                beat = time.monotonic()
                self._keep_place()
                # also for a process that asks nothing of Redis any more
                with suppress(Refused):
                    if self._level.pending:
                        drive(self._level.say_pending(ask))
                if self._beat(ask) != self._birth.encode():
                    return

    def _beat(self, ask: Execute) -> bytes | None:
        """Keeps the leases; which life of Redis this is. In one call: beside a busy thread each may take 10 ms."""
        leases = list(self._level.leases.items())
        keys = [self._level.birth, self._level.beat, *(self._level.lease(key) for key, _ in leases)]
        return drive(ask("EVAL", scripts.BEAT, len(keys), *keys, LEASE_MS, *(token for _, token in leases)))

    def _keep_place(self) -> None:
        now = (self._birth, self._place)
        if now != self._kept:
            self._levels.keep_place(*now)
            self._kept = now

    def _tell(self, message: bytes) -> None:
        sender, _, rest = message[:MOST_OF_MESSAGE].decode(errors="replace").partition("\0")
        kind, _, rest = rest.partition("\0")
        name, _, last = rest.rpartition("\0")
        if not name:
            return
        # a bump of one's own is told, too: one that was said late has another version than it was given here
        if kind == "k" and sender != self._level.sender:
            self._levels.key_changed(name, last)
        elif kind == "t" and last.isdecimal() and len(last) < 19:
            self._levels.tag_changed(name, int(last))


def _number(place: str) -> tuple[int, int]:
    """A place in a stream, to compare."""
    time_ms, _, count = place.partition("-")
    return (int(time_ms), int(count)) if time_ms.isdecimal() and count.isdecimal() else (-1, -1)
