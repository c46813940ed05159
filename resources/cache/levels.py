"""The levels of one cache in one process, and what is known of what they hold. Blocking and asyncio form share them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Any, TypeVar

import lmdb

from resources.cache.breaker import Breaker
from resources.cache.disk_level import Change, DiskLevel
from resources.cache.envelope import Header, NotAnEntry, age_of, seal, stamps, unseal, value_of
from resources.cache.flights import Flights, Watch
from resources.cache.memory_level import Entry, MemoryLevel
from resources.cache.policy import Policy
from resources.cache.redis_level import RedisLevel
from resources.cache.stats import new_stats
from resources.cache.tags import TRUST_S, TagView

T = TypeVar("T")
DISK, REDIS = "disk", "redis"


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace: its name, the version of its records, the type of its values, and how they live."""

    name: str
    version: int
    kind: Any
    policy: Policy

    @property
    def tag(self) -> str:
        """What every entry of it is tagged with, and what its keys begin with."""
        return f"{self.name}@{self.version}"


class Levels:
    """Memory, and disk and Redis if there are any. Nothing here raises because a level fails."""

    def __init__(self, secret: bytes, memory: MemoryLevel, disk: DiskLevel | None, redis: RedisLevel | None) -> None:
        self.secret, self.memory, self.disk, self.redis = secret, memory, disk, redis
        self.disk_breaker = Breaker(open_s=5.0, lost_s=0.2)
        self.view = TagView()
        self.flights = Flights()
        self.stats = new_stats()
        self.lock = threading.RLock()  # a change is taken over, or a value put into memory, one at a time
        self._hits, self._in_memory = self.stats["memory"], memory.get
        if disk is not None:
            disk.on_changes = self._apply
        if redis is not None:
            redis.pending.disk = disk

    def give_up(self) -> DiskLevel | None:
        """In a forked child: threads, connections and locks are the parent's, so who still holds this cache finds one
        that keeps nothing. The disk level, to be closed."""
        disk = self.disk
        self.memory, self.disk, self.redis = MemoryLevel(0), None, None
        self.view, self.flights, self.lock = TagView(), Flights(), threading.RLock()
        self._in_memory = self.memory.get
        return disk

    # --- memory

    def hit(self, key: str) -> Entry | None:
        """What is fresh in memory."""
        disk, view, hits = self.disk, self.view, self._hits
        if disk is not None and disk.changes_announced[0] != disk.seen:
            self.catch_up()
        entry, now = self._in_memory(key), monotonic()
        if entry is None or now >= entry.checked_until:
            return None
        moves = view.moves
        if entry.judged_at != moves:
            if not view.judge(entry.versions):
                return None
            entry.judged_at = moves
        hits.hits += 1
        if not hits.hits & 63:
            hits.latency.add(monotonic() - now)
        return entry

    def remember(self, key: str, entry: Entry, watch: Watch) -> None:
        """Puts into memory what was read or made since `watch` began, unless its key was changed since."""
        with self.lock:
            if self.disk is not None and self.disk.changes_announced[0] != self.disk.seen:
                self._take_changes(self.disk)
            if not watch.spoiled:
                self._hits.evictions += self.memory.put(key, entry)

    def replace(self, key: str, entry: Entry, watch: Watch) -> None:
        """Puts what was set in place of all that was there; if others changed the key since `watch` began, nothing."""
        self.flights.spoil(key, but=watch)
        self.put_on_disk(key, entry, watch)
        with self.lock:
            self.flights.spoil(key, but=watch)  # who has read the disk meanwhile
            self.memory.drop(key)
            self.remember(key, entry, watch)
        if watch.spoiled:
            self.drop_from_disk(key)
            self.forget(key)

    def forget(self, key: str) -> None:
        with self.lock:
            self.flights.spoil(key)
            self.memory.drop(key)

    def forget_memory(self) -> None:
        with self.lock:
            self.flights.spoil_all()
            self.memory.clear()
            self.view.forget()

    def catch_up(self) -> None:
        """Takes over what other processes on this disk changed."""
        if self.disk is not None:
            self.on_disk(lambda disk: None, None)  # mends it, if need be
            with self.lock:
                self._take_changes(self.disk)

    def _take_changes(self, disk: DiskLevel) -> None:
        changes, seen = None, disk.seen
        try:
            if not disk.counter.is_broken:
                changes, seen = disk.changes()
        except (lmdb.Error, OSError, ValueError):
            self.stats[DISK].errors += 1
        self._apply(changes)
        disk.seen = seen

    def _apply(self, changes: list[Change] | None) -> None:
        if changes is None:
            self.forget_memory()
            return
        for _, key, tag, version in changes:
            if key is not None:
                self.forget(key)
            elif tag is not None:
                self.view.told({tag: version})

    # --- what is still valid

    def verdict(self, entry: Entry, policy: Policy) -> bool | None:
        """Whether an entry may be given, fresh or not; None if a tag of it is not known. Sets how long it may."""
        valid = self.view.judge(entry.versions)
        if valid is None:
            return None
        contact = self.view.contact if self.redis is not None else float("inf")
        return valid and self._trusted(entry, policy, contact)

    def verdict_alone(self, entry: Entry, policy: Policy) -> bool:
        """The same where nobody can be asked for the versions of its tags."""
        dropped = self.disk is not None and self.on_disk(lambda disk: disk.dropped_tags(entry.versions), True)
        self.catch_up()  # the disk may have been emptied since the entry was read
        if dropped or self.view.judge(entry.versions) is False:
            return False
        return self._trusted(entry, policy, entry.made_at)

    def _trusted(self, entry: Entry, policy: Policy, contact: float) -> bool:
        """Whether what was last known of an entry is recent enough: with an immutable one nothing can have changed."""
        now = monotonic()
        checked = now if policy.immutable else max(entry.made_at, min(now, contact))
        entry.checked_until = min(entry.fresh_until, checked + TRUST_S)
        return now < min(entry.dead_at, checked + TRUST_S)

    # --- disk

    def on_disk(self, work: Callable[[DiskLevel], T], otherwise: T) -> T:
        """What `work` gives; `otherwise` if there is no disk level or it fails."""
        if self.disk is None or not self.disk_breaker.admits():
            return otherwise
        started = monotonic()
        try:
            if self.disk.counter.is_broken:
                self.disk.empty()
            found = work(self.disk)
        except (lmdb.Error, OSError, ValueError):
            self.stats[DISK].errors += 1
            self.disk_breaker.failed(monotonic() - started)
            return otherwise
        self.disk_breaker.succeeded(0.0)
        return found

    def from_disk(self, key: str, space: Space) -> Entry | None:
        if self.disk is None:
            return None
        started = perf_counter()
        found = self.on_disk(lambda disk: disk.get(key), None)
        entry = self.opened(key, space, DISK, found, None) if found is not None else None
        if found is not None and entry is None:
            self.on_disk(lambda disk: disk.delete(key), None)
        self.count(DISK, entry is not None, started)
        return entry

    def put_on_disk(self, key: str, entry: Entry, watch: Watch, *, is_new: bool = True) -> None:
        """Writes an entry unless its key was changed since `watch` began. `is_new`: other processes are to forget
        what they know of the key, and what was there before is over even if this cannot be written."""
        disk = self.disk
        if disk is None:
            return
        before = disk.evictions
        sealed = self.sealed(key, entry, DISK)

        def put(disk: DiskLevel) -> bool:
            return disk.put(key, sealed, lambda: not watch.spoiled, is_new)

        if len(sealed) <= disk.most_of_value and self.on_disk(put, None) is not None:
            self.stats[DISK].evictions += disk.evictions - before
        elif is_new:
            self.drop_from_disk(key)

    def drop_from_disk(self, key: str) -> None:
        self._surely(lambda disk: disk.delete(key))

    def bump_on_disk(self, versions: dict[str, int], *, decided: bool) -> dict[str, int]:
        return self._surely(lambda disk: disk.bump(versions, decided)) or versions

    def _surely(self, work: Callable[[DiskLevel], T]) -> T | None:
        """A drop; if it cannot be written the whole disk level is taken out of use until it could be emptied."""
        if self.disk is None:
            return None
        try:
            return work(self.disk)
        except (lmdb.Error, OSError, ValueError):
            self.stats[DISK].errors += 1
            self.disk.counter.mark_broken(True)
            return None

    # --- bytes

    def sealed(self, key: str, entry: Entry, level: str) -> bytes:
        age = round(1e6 * (monotonic() - entry.made_at))
        wall, boot, boot_id = stamps()
        soft, hard = (round(1000 * s) for s in (entry.fresh_until - entry.made_at, entry.dead_at - entry.made_at))
        packed = entry.payload
        written = (wall - age, boot - age, boot_id)
        header = Header(level, packed.codec, packed.unpacked, *written, soft, hard, entry.versions)
        return seal(self.secret, key, header, packed)

    def opened(self, key: str, space: Space, level: str, found: bytes, left_ms: int | None) -> Entry | None:
        """The entry, None if it is none or its time is over. Redis says itself how much is left of it."""
        try:
            header, payload = unseal(self.secret, key, level, found)
            value = value_of(payload, space.kind)
        except NotAnEntry:
            self.stats[level].errors += 1
            return None
        age = age_of(header) if left_ms is None else max(0.0, (header.hard - left_ms) / 1000)
        if age is None or age * 1000 >= header.hard:
            return None
        return Entry(space.kind, payload, value, (age, header.soft / 1000, header.hard / 1000), header.tags)

    def count(self, level: str, hit: bool, started: float) -> None:
        of = self.stats[level]
        of.latency.add(perf_counter() - started)
        if hit:
            of.hits += 1
        else:
            of.misses += 1

    # --- what the backplane tells

    def place(self) -> tuple[str, str]:
        """The stream and the place in it that the levels are right up to; '' if they know none."""
        birth, _, place = self.on_disk(lambda disk: disk.note("place"), b"").decode().partition(" ")
        return birth, place

    def keep_place(self, birth: str, place: str) -> None:
        self.on_disk(lambda disk: disk.keep_note("place", f"{birth} {place}".encode()), None)

    def forget_all(self) -> None:
        """Something was missed: nothing that is kept can be given."""
        self._surely(lambda disk: disk.empty())
        self.forget_memory()

    def key_changed(self, key: str, disk: str) -> None:
        if self.disk is not None and disk != self.disk.identity:
            self.drop_from_disk(key)
        self.forget(key)

    def tag_changed(self, tag: str, version: int) -> None:
        self.view.told({tag: version})
        self._surely(lambda disk: disk.keep_tag(tag, version))  # for a process that begins while Redis is away
