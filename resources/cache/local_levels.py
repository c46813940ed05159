"""The levels of this machine, memory and disk, and what this process knows of changes."""

import threading
import time
from time import monotonic, perf_counter

from resources.cache.change_board import TAGS, ChangeBoard
from resources.cache.disk_level import DiskLevel
from resources.cache.entry import Entry
from resources.cache.envelope import Header, InvalidEntry, decode, seal, unseal
from resources.cache.memory_level import MemoryLevel
from resources.cache.options import Namespace
from resources.cache.stats import Stats
from resources.cache.tags import TagVersions, next_version

DISK, REDIS = "disk", "redis"


class LocalLevels:
    """Memory, and a disk if there is one. Nothing here raises because the disk fails."""

    def __init__(self, memory: MemoryLevel, disk: DiskLevel | None, secret: bytes, has_redis: bool, stats: Stats):
        self.memory, self.disk, self.secret, self.has_redis, self.stats = memory, disk, secret, has_redis, stats
        self.board = disk.board if disk is not None else ChangeBoard()
        self.tags = TagVersions()
        self.listening_since = 0.0  # monotonic: a mutable value that was checked before may have changed unheard
        self._lock = threading.RLock()
        self._tags_seen = self.board.words[TAGS]
        self._words, self._get, self._hits = self.board.words, memory.get, stats["memory"]

    # --- reading

    def hit(self, key: str) -> Entry | None:
        """The fresh entry in memory."""
        words = self._words
        if words[TAGS] != self._tags_seen:
            self.catch_up()
        entry, now = self._get(key), monotonic()
        if entry is None or words[entry.slot] != entry.seen or now >= entry.served_until:
            return None
        moves = self.tags.moves
        if entry.judged != moves:
            if not self.tags.judge(entry.versions):
                return None
            entry.judged = moves
        hits = self._hits
        hits.hits += 1
        if not hits.hits & 63:
            hits.latency.add(monotonic() - now)
        return entry

    def is_current(self, entry: Entry) -> bool:
        """Whether its key has not changed since it was read, as far as this process has heard."""
        return self._words[entry.slot] == entry.seen and self.is_trusted(entry)

    def is_trusted(self, entry: Entry) -> bool:
        """Whether changes of its key would have been heard since it was checked, and its life is not over."""
        return entry.checked_at >= self.listening_since and entry.is_usable()

    async def from_disk(self, key: str, namespace: Namespace, seen: int) -> Entry | None:
        """`seen`: the number of the key's slot before the first level was read."""
        if self.disk is None:
            return None
        started, found = perf_counter(), self.disk.get(key)
        entry = self.opened(key, namespace, DISK, found, seen) if found is not None else None
        if found is not None and entry is None:
            self.disk.delete(key)
        self.stats[DISK].count(entry is not None, started)
        return entry

    def opened(
        self, key: str, namespace: Namespace, level: str, sealed: bytes, seen: int, left_ms: int | None = None
    ) -> Entry | None:
        """The entry; None if it is invalid or has expired. `left_ms`: what is left of its life in Redis."""
        try:
            header, payload = unseal(self.secret, key, level, sealed)
            value = decode(payload, namespace.kind)
        except InvalidEntry:
            self.stats[level].errors += 1
            return None
        ago = time.time_ns() / 1e9 - header.written / 1e6 if left_ms is None else 0.0
        age = ago + header.age / 1e3 if left_ms is None else max(0.0, (header.life - left_ms) / 1e3)
        if ago < 0 or age * 1e3 >= header.life:
            return None
        entry = Entry(namespace.kind, payload, value, (age, header.ttl / 1e3, header.life / 1e3), header.versions)
        self.place(key, entry, namespace, seen, monotonic() - ago)
        return entry

    def place(self, key: str, entry: Entry, namespace: Namespace, seen: int, checked_at: float) -> None:
        """Sets which number an entry depends on, and how long it is trusted."""
        entry.slot, entry.seen = self.board.slot(key), seen
        if self.has_redis and not namespace.immutable:
            entry.trust_since(checked_at)

    # --- writing

    def promote(self, key: str, entry: Entry, *, to_disk: bool) -> None:
        """Puts a value that was read from a slower level into the faster ones, unless it has changed meanwhile."""
        if to_disk and self.disk is not None:
            self.disk.put(key, self.sealed(key, entry, DISK), lambda: self.is_current(entry))
        with self._lock:
            if self.is_current(entry):
                self._hits.evictions += self.memory.put(key, entry)

    def replace(self, key: str, entry: Entry, mark: int) -> bool:
        """Puts a new value in place of the old one. False if the key was changed since its slot had `mark`: then it is
        in neither level."""
        words, slot, disk = self._words, entry.slot, self.disk
        sealed = self.sealed(key, entry, DISK) if disk is not None else b""
        written = disk.put(key, sealed, lambda: words[slot] == mark) if disk is not None else None
        if disk is not None and written is None:
            disk.delete(key)
        with self._lock:
            if written is False or (written is None and words[slot] != mark):
                self.delete(key)
                return False
            entry.seen = self.board.change(slot)
            # another process may have written since, and changed the number before this one did
            if disk is None or not written or disk.has(key, sealed):
                self.promote(key, entry, to_disk=False)
        return True

    def delete(self, key: str) -> None:
        slot = self.board.slot(key)
        self.board.change(slot)  # from now on nothing that was read before is promoted
        if self.disk is not None:
            self.disk.delete(key)
        self.memory.delete(key)
        self.board.change(slot)  # what was read from the disk meanwhile is not served

    def sealed(self, key: str, entry: Entry, level: str) -> bytes:
        age, ttl, life = (
            round(1e3 * (moment - entry.made_at)) for moment in (monotonic(), entry.fresh_until, entry.dead_at)
        )
        written, uncompressed = time.time_ns() // 1000, entry.payload.uncompressed
        header = Header(level, uncompressed, written, age, ttl, life, entry.versions)
        return seal(self.secret, key, header, entry.payload)

    # --- changes elsewhere

    def judge(self, entry: Entry) -> bool | None:
        """Whether none of its tags has changed since it was made; None if that is not known here."""
        self.catch_up()
        return self.tags.judge(entry.versions)

    def catch_up(self) -> None:
        """Another process of this disk has invalidated a tag: versions have to be asked for again."""
        moved = self._words[TAGS]
        if moved != self._tags_seen:
            self.tags.forget()
            self._tags_seen = moved

    def invalidate_tags(self, versions: dict[str, int] | None, tags: tuple[str, ...]) -> None:
        """In every process of this disk. `versions`: what Redis has decided."""
        if versions is None and self.disk is not None and not self.has_redis:
            versions = self.disk.tag_versions(tags, bump=True)
        self.tags.move(versions or {tag: next_version(self.tags.known.get(tag, 0)) for tag in tags})
        if self.disk is not None:
            is_caught_up = self._words[TAGS] == self._tags_seen
            number = self.board.change(TAGS)
            if self.has_redis and is_caught_up:  # this process knows; without Redis it asks the disk like the others
                self._tags_seen = number

    def listens_now(self) -> None:
        """Changes are heard from now on; any may have been missed before."""
        with self._lock:
            self.listening_since = monotonic()
            self.memory.clear()
            self.tags.forget()
