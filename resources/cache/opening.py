"""Opens the cache of an installation, once in each process."""

import hashlib
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb

from resources.cache.backplane import Backplane
from resources.cache.disk_level import DiskLevel
from resources.cache.embedded import start_server
from resources.cache.facade import Cache
from resources.cache.levels import Levels, Space
from resources.cache.memory_level import MemoryLevel
from resources.cache.policy import Policy
from resources.cache.redis_level import RedisLevel
from resources.cache.secret import secret_of
from resources.cache.waiting import Blocking
from resources.common.errors import BadInput

EMBEDDED = "embedded"
LET_GO_S = 1.0
log = logging.getLogger("crates.cache")


@dataclass(frozen=True)
class CacheSettings:
    """`folder`: where the disk level and the key lie. `memory_bytes`, `disk_bytes`: limits of the levels; without
    `disk_bytes` there is no disk level. `redis_url`: a server (redis://, rediss://, unix://), "embedded" for a Valkey
    of this process alone, "" for none. `key`: what entries are sealed with, the same on all machines that share a
    Redis. `timeout_s`: longest wait for one answer of Redis. `open_s`: how long it is left alone when it fails."""

    folder: Path
    memory_bytes: int = 64 << 20
    disk_bytes: int = 1 << 30
    redis_url: str = ""
    key: str = ""
    timeout_s: float = 0.05
    open_s: float = 5.0


_open: dict[CacheSettings, "Opened"] = {}
_opening = threading.Lock()


@dataclass(frozen=True)
class Opened:
    """An open cache and what ends with it."""

    cache: Cache
    levels: Levels
    waiting: Blocking
    backplane: Backplane | None

    def close(self) -> None:
        self.cache.note_hottest()
        if self.backplane is not None:
            self.backplane.close()
        self.waiting.close()
        if self.levels.disk is not None:
            self.levels.disk.close()


def open_cache(settings: CacheSettings) -> Cache:
    """The cache; another call with the same settings gives the same one. A level that cannot be opened is told in the
    log and left out. Raises BadInput for the key and the address, CannotWrite for the key."""
    with _opening:
        if settings not in _open:
            _open[settings] = _opened(settings)
        return _open[settings].cache


def close_cache(settings: CacheSettings) -> None:
    """Ends what `open_cache` began; the values stay on the disk and in Redis."""
    with _opening:
        opened = _open.pop(settings, None)
    if opened is not None:
        opened.close()


def close_caches() -> None:
    """Ends all."""
    for settings in list(_open):
        close_cache(settings)


def _opened(settings: CacheSettings) -> Opened:
    _let_go()
    secret = secret_of(settings.key, settings.folder)
    redis = _redis(settings, secret)
    try:
        waiting = Blocking(redis)
    except (ValueError, TypeError) as error:
        raise BadInput(f"REDIS_URL is not understood ({error}): expected redis://, rediss:// or unix://") from error
    levels = Levels(secret, MemoryLevel(settings.memory_bytes), _disk(settings), redis)
    backplane = Backplane(redis, levels) if redis is not None else None
    if backplane is not None and not backplane.wait(4 * settings.timeout_s):
        log.warning(
            "the cache cannot reach Redis at %s yet: it goes on with memory and disk", _shown(settings.redis_url)
        )
    return Opened(Cache(levels, waiting, Space("default", 1, Any, Policy())), levels, waiting, backplane)


def _redis(settings: CacheSettings, secret: bytes) -> RedisLevel | None:
    url = settings.redis_url
    if not url:
        log.info("the cache is in memory and on the disk of this machine; REDIS_URL shares it with other machines")
        return None
    if url == EMBEDDED:
        url = start_server()
    # caches with another key do not see each other: neither could read what the other wrote
    prefix = f"crates:{hashlib.sha256(b'prefix' + secret).hexdigest()[:8]}:"
    return RedisLevel(url, prefix, settings.timeout_s, settings.open_s)


def _disk(settings: CacheSettings) -> DiskLevel | None:
    if not settings.disk_bytes:
        return None
    try:
        return DiskLevel(settings.folder / "disk", settings.disk_bytes)
    except (lmdb.Error, OSError) as error:
        log.warning("the cache goes on without its disk level in %s: %s", settings.folder, error)
        return None


def _shown(url: str) -> str:
    """An address without what is secret in it."""
    return url.rpartition("@")[2] if "@" in url else url


def _after_fork() -> None:
    # the threads and connections are the parent's: the child opens its own
    global _opening
    _opening = threading.Lock()
    _inherited.extend((opened, opened.levels.give_up()) for opened in _open.values())
    _open.clear()


def _let_go() -> None:
    """LMDB opens a path once in a process: a forked child gives up what its parent had open. If a thread of the parent
    was at work in LMDB just then, that never ends, and the child goes on without its disk level."""
    while _inherited:
        opened, disk = _inherited.pop()
        _kept.append(opened)
        if disk is not None:
            closing = threading.Thread(target=disk.close, daemon=True)
            closing.start()
            closing.join(LET_GO_S)


_inherited: list[tuple[Opened, DiskLevel | None]] = []
_kept: list[Opened] = []  # to free them would end the parent's conversations
os.register_at_fork(after_in_child=_after_fork)
