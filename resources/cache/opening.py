"""Opens the cache of an installation, once in each process."""

import hashlib
import logging
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from resources.cache.async_cache import AsyncCache
from resources.cache.cache import Cache
from resources.cache.change_board import ChangeBoard
from resources.cache.disk_level import ERRORS, DiskLevel
from resources.cache.drivers import SyncDriver
from resources.cache.embedded import start_server
from resources.cache.levels import Levels
from resources.cache.local_levels import LocalLevels
from resources.cache.memory_level import MemoryLevel
from resources.cache.options import Namespace, Options
from resources.cache.redis_level import RedisLevel
from resources.cache.secret import read_secret
from resources.cache.stats import LEVELS, LevelStats
from resources.common.errors import BadInput

EMBEDDED = "embedded"
CLOSE_S = 1.0
log = logging.getLogger("crates.cache")


@dataclass(frozen=True)
class CacheSettings:
    """`folder`: of the disk level, the key and the metrics. `memory_bytes`, `disk_bytes`: limits of the levels; 0 for
    no disk level. `redis_url`: a server (redis://, rediss://, unix://), "embedded" for a Valkey of this process, "" for
    none. `key`: signs entries, the same on all machines that share a Redis. `timeout_s`: longest wait for one answer
    of Redis. `open_s`: how long Redis is left alone after it failed."""

    folder: Path
    memory_bytes: int = 64 << 20
    disk_bytes: int = 1 << 30
    redis_url: str = field(default="", repr=False)  # it may hold a password
    key: str = field(default="", repr=False)
    timeout_s: float = 0.05
    open_s: float = 5.0

    def open(self) -> Cache:
        """See `open_cache`."""
        return open_cache(self)


class _Opened:
    """An open cache and what ends with it."""

    def __init__(self, settings: CacheSettings) -> None:
        secret = read_secret(settings.key, settings.folder)
        stats = {level: LevelStats() for level in LEVELS}
        disk = _disk(settings, stats["disk"])
        self.local = LocalLevels(MemoryLevel(settings.memory_bytes), disk, secret, bool(settings.redis_url), stats)
        self.redis, self.backplane = None, None
        if settings.redis_url:
            from resources.cache.backplane import Backplane  # redis-py takes half a second to import

            self.redis = _redis(settings, secret, self.local.board, stats["redis"])
            self.backplane = Backplane(self.redis, self.local)
            self.backplane.wait(4 * settings.timeout_s)
        levels = Levels(self.local, self.redis)
        self.cache = Cache(AsyncCache(levels, SyncDriver(), {}, Namespace("default"), Options()))

    def close(self) -> None:
        if self.redis is not None and self.backplane is not None:
            self.backplane.close()
            self.redis.client.close()
        if self.local.disk is not None:
            self.local.disk.close()

    def detach(self) -> DiskLevel | None:
        """In a forked child: leaves a cache that holds nothing. The disk level, to be closed."""
        disk, self.cache.core.levels.redis = self.local.disk, None
        self.local.__init__(MemoryLevel(0), None, self.local.secret, False, self.local.stats)
        return disk


_open: dict[CacheSettings, _Opened] = {}
_opening = threading.Lock()


def open_cache(settings: CacheSettings) -> Cache:
    """The cache of these settings, one in each process. A level that cannot be opened is logged and left out.

    Raises BadInput for the key and the URL, CannotWrite for the key.
    """
    with _opening:
        if settings not in _open:
            _close_inherited()
            _open[settings] = _Opened(settings)
        return _open[settings].cache


def close_cache(settings: CacheSettings) -> None:
    """Ends the threads and connections; the values stay on the disk and in Redis."""
    with _opening:
        opened = _open.pop(settings, None)
    if opened is not None:
        opened.close()


def close_caches() -> None:
    """All of this process."""
    for settings in list(_open):
        close_cache(settings)


def _redis(settings: CacheSettings, secret: bytes, board: ChangeBoard, stats: LevelStats) -> RedisLevel:
    from resources.cache.redis_client import SyncClient

    url = start_server() if settings.redis_url == EMBEDDED else settings.redis_url
    # caches with another key are separate: neither could read what the other wrote
    prefix = f"crates:{hashlib.sha256(b'prefix' + secret).hexdigest()[:8]}:"
    level = RedisLevel(url, prefix, settings.timeout_s, settings.open_s, board, stats)
    try:
        return level.with_client(SyncClient(url, settings.timeout_s))
    except (ValueError, TypeError) as error:
        raise BadInput(f"REDIS_URL cannot be used ({error}): expected redis://, rediss:// or unix://") from error


def _disk(settings: CacheSettings, stats: LevelStats) -> DiskLevel | None:
    if not settings.disk_bytes:
        return None
    try:
        return DiskLevel(settings.folder / "disk", settings.disk_bytes, stats)
    except ERRORS as error:
        log.warning("the cache goes on without its disk level in %s: %s", settings.folder, error)
        return None


def _after_fork() -> None:
    # threads and connections are the parent's: the child opens its own
    global _opening
    _opening = threading.Lock()
    _inherited.extend((opened, opened.detach()) for opened in _open.values())
    _open.clear()


def _close_inherited() -> None:
    """LMDB opens a path once in a process: a forked child closes what its parent had open. If a thread of the parent
    was at work in LMDB at the fork, that never ends, and the child goes on without its disk level."""
    while _inherited:
        opened, disk = _inherited.pop()
        _retained.append(opened)
        if disk is not None:
            closing = threading.Thread(target=disk.close, daemon=True)
            closing.start()
            closing.join(CLOSE_S)


_inherited: list[tuple[_Opened, DiskLevel | None]] = []
_retained: list[_Opened] = []  # freeing them would end the parent's conversations
os.register_at_fork(after_in_child=_after_fork)
