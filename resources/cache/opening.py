"""Settings of the cache, and one open cache per process."""

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
from resources.common.settings import Settings

EMBEDDED = "embedded"
CLOSE_S = 1.0
log = logging.getLogger("crates.cache")


@dataclass(frozen=True)
class CacheSettings:
    """The settings of one cache.

    `folder` holds the disk level, the key and the metrics. `memory_bytes` and `disk_bytes` limit the levels; 0 bytes
    disable the disk level. `redis_url` is a server (redis://, rediss://, unix://), "embedded" to start Valkey for this
    process, or "" for none. `key` signs entries; machines that share a Redis need the same one. `timeout_s` limits the
    wait for one answer of Redis. After a failure Redis is not used for `open_s` seconds.
    """

    folder: Path
    memory_bytes: int = 64 << 20
    disk_bytes: int = 1 << 30
    redis_url: str = field(default="", repr=False)  # it may hold a password
    key: str = field(default="", repr=False)
    timeout_s: float = 0.05
    open_s: float = 5.0

    @classmethod
    def of(cls, settings: Settings) -> "CacheSettings":
        """Returns the cache settings of an installation."""
        return cls(
            folder=settings.cache,
            memory_bytes=settings.cache_memory_mb << 20,
            disk_bytes=settings.cache_disk_mb << 20,
            redis_url=settings.redis_url,
            key=settings.cache_key,
            timeout_s=settings.redis_timeout_ms / 1000,
        )

    def open(self) -> Cache:
        """Returns `open_cache(self)`."""
        return open_cache(self)


class _OpenCache:
    """An open cache, with its threads and connections."""

    def __init__(self, settings: CacheSettings) -> None:
        secret = read_secret(settings.key, settings.folder)
        stats = {level: LevelStats() for level in LEVELS}
        disk = _disk(settings, stats["disk"])
        self.local = LocalLevels(MemoryLevel(settings.memory_bytes), disk, secret, bool(settings.redis_url), stats)
        self.redis, self.backplane = None, None
        if settings.redis_url:
            from resources.cache.backplane import Backplane  # the import of redis-py takes half a second

            self.redis = _redis(settings, secret, self.local.board, stats["redis"])
            self.backplane = Backplane(self.redis, self.local)
            self.backplane.wait_until_subscribed(4 * settings.timeout_s)
        levels = Levels(self.local, self.redis)
        self.cache = Cache(AsyncCache(levels, SyncDriver(), {}, Namespace("default"), Options()))

    def close(self) -> None:
        if self.redis is not None and self.backplane is not None:
            self.backplane.close()
            self.redis.client.close()
        if self.local.disk is not None:
            self.local.disk.close()

    def detach(self) -> DiskLevel | None:
        """Replaces the levels in a forked child by empty ones; returns the disk level, which must be closed."""
        disk, self.cache.core.levels.redis = self.local.disk, None
        self.local.__init__(MemoryLevel(0), None, self.local.secret, False, self.local.stats)
        return disk


_open: dict[CacheSettings, _OpenCache] = {}
_opening = threading.Lock()


def open_cache(settings: CacheSettings) -> Cache:
    """Returns the cache of these settings, one in each process. A level that cannot be opened is logged and not used.

    Raises BadInput if the key or the URL is invalid, CannotWrite if the key cannot be written.
    """
    with _opening:
        if settings not in _open:
            _close_inherited()
            _open[settings] = _OpenCache(settings)
        return _open[settings].cache


def close_cache(settings: CacheSettings) -> None:
    """Closes the threads and connections; values remain on the disk and in Redis."""
    with _opening:
        opened = _open.pop(settings, None)
    if opened is not None:
        opened.close()


def close_caches() -> None:
    """Closes all caches of this process."""
    for settings in list(_open):
        close_cache(settings)


def _redis(settings: CacheSettings, secret: bytes, board: ChangeBoard, stats: LevelStats) -> RedisLevel:
    from resources.cache.redis_client import SyncClient

    url = start_server() if settings.redis_url == EMBEDDED else settings.redis_url
    # caches with different keys cannot read each other's entries
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
        log.warning("%s: the cache is used without its disk level: %s", settings.folder, error)
        return None


def _after_fork() -> None:
    # threads and connections belong to the parent; the child opens its own
    global _opening
    _opening = threading.Lock()
    _inherited.extend((opened, opened.detach()) for opened in _open.values())
    _open.clear()


def _close_inherited() -> None:
    """Closes the disk levels that the parent had open, since a process can open an LMDB path only once.

    If a thread of the parent used LMDB during the fork, closing never ends, and the child has no disk level.
    """
    while _inherited:
        opened, disk = _inherited.pop()
        _retained.append(opened)
        if disk is not None:
            closing = threading.Thread(target=disk.close, daemon=True)
            closing.start()
            closing.join(CLOSE_S)


_inherited: list[tuple[_OpenCache, DiskLevel | None]] = []
_retained: list[_OpenCache] = []  # freeing them would close the parent's connections
os.register_at_fork(after_in_child=_after_fork)
