"""Memory and disk, and the changes that this process knows."""

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
    """Memory, and the disk if it is configured. A disk that fails counts as a miss; no method raises for it."""

    def __init__(self, memory: MemoryLevel, disk: DiskLevel | None, secret: bytes, has_redis: bool, stats: Stats):
        self.memory, self.disk, self.secret, self.has_redis, self.stats = memory, disk, secret, has_redis, stats
        self.board = disk.board if disk is not None else ChangeBoard()
        self.tags = TagVersions()
        self.listening_since = 0.0  # monotonic; changes before may have been missed
        self._lock = threading.RLock()
        self._tags_seen = self.board.numbers[TAGS]
        self._numbers, self._get, self._hits = self.board.numbers, memory.get, stats["memory"]

    # --- reading

    def hit(self, key: str) -> Entry | None:
        """Returns the fresh entry in memory, or None."""
        numbers = self._numbers
        if numbers[TAGS] != self._tags_seen:
            self.catch_up()
        entry, now = self._get(key), monotonic()
        if entry is None or numbers[entry.slot] != entry.change_number or now >= entry.served_until:
            return None
        revision = self.tags.revision
        if entry.checked_revision != revision:
            if not self.tags.check(entry.versions):
                return None
            entry.checked_revision = revision
        hits = self._hits
        hits.hits += 1
        if not hits.hits & 63:
            hits.latency.add(monotonic() - now)
        return entry

    def is_current(self, entry: Entry) -> bool:
        """Returns whether no change of its key is known since it was read."""
        return self._numbers[entry.slot] == entry.change_number and self.is_trusted(entry)

    def is_trusted(self, entry: Entry) -> bool:
        """Returns whether the entry has not expired, and no message was missed since it was checked."""
        return entry.checked_at >= self.listening_since and entry.is_usable()

    async def from_disk(self, key: str, namespace: Namespace, change_number: int) -> Entry | None:
        """Reads an entry from the disk. `change_number`: that of the key before the first level was read."""
        if self.disk is None:
            return None
        started, found = perf_counter(), self.disk.get(key)
        entry = self.open_entry(key, namespace, DISK, found, change_number) if found is not None else None
        if found is not None and entry is None:
            self.disk.delete(key)
        self.stats[DISK].count(entry is not None, started)
        return entry

    def open_entry(
        self, key: str, namespace: Namespace, level: str, sealed: bytes, change_number: int, left_ms: int | None = None
    ) -> Entry | None:
        """Verifies and decodes an entry; None if it is invalid or expired. `left_ms`: its remaining time in Redis."""
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
        self.bind(key, entry, namespace, change_number, monotonic() - ago)
        return entry

    def bind(self, key: str, entry: Entry, namespace: Namespace, change_number: int, checked_at: float) -> None:
        """Binds an entry to its change number, and sets how long it is served without a check."""
        entry.slot, entry.change_number = self.board.slot(key), change_number
        if self.has_redis and not namespace.immutable:
            entry.trust_since(checked_at)

    # --- writing

    def promote(self, key: str, entry: Entry, *, to_disk: bool) -> None:
        """Copies a value from a slower level to the faster ones, unless it has changed meanwhile."""
        if to_disk and self.disk is not None:
            self.disk.put(key, self.seal_entry(key, entry, DISK), lambda: self.is_current(entry))
        with self._lock:
            if self.is_current(entry):
                self._hits.evictions += self.memory.put(key, entry)

    def replace(self, key: str, entry: Entry, change_number: int) -> bool:
        """Replaces a value in memory and on the disk.

        Returns False, and stores it in neither, if the change number of the key is no longer `change_number`.
        """
        numbers, slot, disk = self._numbers, entry.slot, self.disk
        sealed = self.seal_entry(key, entry, DISK) if disk is not None else b""
        written = disk.put(key, sealed, lambda: numbers[slot] == change_number) if disk is not None else None
        if disk is not None and written is None:
            disk.delete(key)
        with self._lock:
            if written is False or (written is None and numbers[slot] != change_number):
                self.delete(key)
                return False
            entry.change_number = self.board.change(slot)
            # another process may have written the key and changed the number before this one
            if disk is None or not written or disk.has(key, sealed):
                self.promote(key, entry, to_disk=False)
        return True

    def delete(self, key: str) -> None:
        slot = self.board.slot(key)
        self.board.change(slot)  # a value that was read before is not promoted
        if self.disk is not None:
            self.disk.delete(key)
        self.memory.delete(key)
        self.board.change(slot)  # a value that was read from the disk meanwhile is not served

    def seal_entry(self, key: str, entry: Entry, level: str) -> bytes:
        age, ttl, life = (
            round(1e3 * (moment - entry.made_at)) for moment in (monotonic(), entry.fresh_until, entry.dead_at)
        )
        written, uncompressed = time.time_ns() // 1000, entry.payload.uncompressed
        header = Header(level, uncompressed, written, age, ttl, life, entry.versions)
        return seal(self.secret, key, header, entry.payload)

    # --- changes by other processes

    def check_tags(self, entry: Entry) -> bool | None:
        """Returns whether the entry's tags have not changed; None if this process does not know."""
        self.catch_up()
        return self.tags.check(entry.versions)

    def catch_up(self) -> None:
        """Forgets the versions of tags if another process of this disk has invalidated one."""
        number = self._numbers[TAGS]
        if number != self._tags_seen:
            self.tags.forget()
            self._tags_seen = number

    def invalidate_tags(self, versions: dict[str, int] | None, tags: tuple[str, ...]) -> None:
        """Invalidates tags in every process of this disk. `versions`: the new versions if Redis has set them."""
        if versions is None and self.disk is not None and not self.has_redis:
            versions = self.disk.tag_versions(tags, bump=True)
        self.tags.invalidate(versions or {tag: next_version(self.tags.known.get(tag, 0)) for tag in tags})
        if self.disk is not None:
            is_caught_up = self._numbers[TAGS] == self._tags_seen
            number = self.board.change(TAGS)
            if (
                self.has_redis and is_caught_up
            ):  # without Redis this process reads the versions from the disk, as the others do
                self._tags_seen = number

    def clear_after_gap(self) -> None:
        """Clears memory and versions, since changes until now may have been missed."""
        with self._lock:
            self.listening_since = monotonic()
            self.memory.clear()
            self.tags.forget()
