"""Reads and writes through memory, disk and Redis. There is one object for threads and one for each event loop."""

from collections.abc import Sequence
from time import monotonic, perf_counter

from resources.cache.entry import Entry
from resources.cache.envelope import Versions
from resources.cache.local_levels import REDIS, LocalLevels
from resources.cache.options import Namespace
from resources.cache.redis_level import MAX_VALUE, UNAVAILABLE, RedisLevel
from resources.cache.tags import MAX_KNOWN


class Levels:
    """The levels in order of speed. A level that fails counts as a miss; no method raises for it."""

    def __init__(self, local: LocalLevels, redis: RedisLevel | None) -> None:
        self.local, self.redis = local, redis

    async def find(self, key: str, namespace: Namespace) -> Entry | None:
        """Returns the fresh entry of the fastest level; otherwise a stale entry within its grace, or None."""
        local = self.local
        change_number = local.board.numbers[local.board.slot(key)]
        entry = local.memory.get(key)
        stale = entry if entry is not None and await self.is_valid(entry) else None
        is_hit = stale is not None and stale.is_fresh()
        local.stats["memory"].hits += is_hit
        local.stats["memory"].misses += not is_hit
        if is_hit:
            return stale
        for read, is_remote in ((local.from_disk, False), (self._from_redis, True)):
            entry = await read(key, namespace, change_number)
            # if a change arrives during the read, this caller gets the value, but memory does not
            if entry is not None and local.is_trusted(entry) and await self._has_valid_tags(entry):
                if entry.is_fresh():
                    local.promote(key, entry, to_disk=is_remote)
                    return entry
                stale = stale or entry
        return stale

    async def store(
        self, key: str, entry: Entry, namespace: Namespace, change_number: int, token: str | None = ""
    ) -> bool:
        """Stores a new value in every level.

        Returns False, and stores it in none, if the change number of the key is no longer `change_number`, or if the
        lease `token` was lost. Without a lease (None) the old value is deleted from Redis.
        """
        if self.redis is not None:
            sealed = self.local.seal_entry(key, entry, REDIS)
            left_ms, stored = round(1e3 * (entry.dead_at - monotonic())), UNAVAILABLE
            if token is not None and len(sealed) <= MAX_VALUE and left_ms > 0:
                stored = await self.redis.store(key, token, sealed, left_ms, not namespace.immutable)
            if stored == 0:
                return False
            if stored is UNAVAILABLE and not namespace.immutable:
                await self.redis.delete(key)
        return self.local.replace(key, entry, change_number)

    async def delete(self, key: str) -> None:
        # from the slowest level to the fastest, so that a concurrent read does not restore the value
        if self.redis is not None:
            await self.redis.delete(key)
        self.local.delete(key)

    async def invalidate_tags(self, tags: tuple[str, ...]) -> None:
        decided = None if self.redis is None else await self.redis.tags(tags, invalidate=True)
        self.local.invalidate_tags(None if decided is UNAVAILABLE else decided, tags)

    async def is_valid(self, entry: Entry) -> bool:
        """Returns whether an entry may be served: neither its key nor one of its tags has changed."""
        current = self.local.is_current
        return current(entry) and await self._has_valid_tags(entry) and current(entry)

    async def _has_valid_tags(self, entry: Entry) -> bool:
        verdict = self.local.check_tags(entry)
        if verdict is not None:
            return verdict
        tags = [tag for tag, _ in entry.versions]
        found = await self._read_versions(tags)
        if found is None and self.redis is not None and entry.is_trusted:
            return self.redis.pending.tags.keys().isdisjoint(tags)
        found = found or self.local.tags.known_or_assumed(tags)
        return all(found[tag] == version for tag, version in entry.versions)

    async def versions(self, tags: Sequence[str], new: int = 0) -> Versions:
        """Returns the current versions of tags. A tag without a version gets `new`, or the next number if that is 0."""
        self.local.catch_up()
        known = self.local.tags.known
        asked = [tag for tag in tags if new or tag not in known]
        found = (await self._read_versions(asked, new) if asked else {}) or self.local.tags.known_or_assumed(asked)
        return tuple((tag, found.get(tag) or known.get(tag, 0)) for tag in tags)

    async def take_lease(self, key: str, token: str) -> int | None:
        """Returns a number of the tags' clock; 0 if another process holds the lease, None without Redis."""
        clock = UNAVAILABLE if self.redis is None else await self.redis.take_lease(key, token)
        return None if clock is UNAVAILABLE else clock

    async def release(self, key: str, token: str) -> None:
        if self.redis is not None:
            await self.redis.release(key, token)

    async def _read_versions(self, tags: Sequence[str], new: int = 0) -> dict[str, int] | None:
        """Reads versions from Redis, or without Redis from the disk; None if that fails."""
        local = self.local
        if len(local.tags.known) > MAX_KNOWN:
            local.tags.forget()
        revision = local.tags.revision
        if self.redis is not None:
            found = await self.redis.tags(tags, new=new)
        else:
            found = local.disk.tag_versions(tags) if local.disk is not None else local.tags.known_or_assumed(tags)
        if found is UNAVAILABLE or found is None:
            return None
        local.tags.remember(found, revision)
        return found

    async def _from_redis(self, key: str, namespace: Namespace, change_number: int) -> Entry | None:
        if self.redis is None:
            return None
        started, entry = perf_counter(), None
        found = await self.redis.read(key)
        if found is not UNAVAILABLE and found[0] is not None and found[1] > 0:
            entry = self.local.open_entry(key, namespace, REDIS, found[0], change_number, found[1])
            if entry is None:
                await self.redis.delete(key)
        self.local.stats[REDIS].count(entry is not None, started)
        return entry
