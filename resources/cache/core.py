"""The policy over the levels, written once: the blocking and the asyncio cache drive the same coroutines.

All that waits goes through `waiting`, whose blocking form never suspends.
"""

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from resources.cache.envelope import NotAnEntry, payload_of, value_of
from resources.cache.flights import Flight, Watch
from resources.cache.levels import REDIS, Levels, Space
from resources.cache.memory_level import Entry
from resources.cache.policy import Made, Policy
from resources.cache.redis_level import AWAY, MOST_OF_VALUE
from resources.cache.tags import MOST_TAGS, MOST_TAGS_OF_VALUE, Versions, beyond_all, checked
from resources.cache.waiting import Blocking, Looping

THROTTLE_S = 1.0  # a factory that failed is not called again sooner, while there is an old value to give
LONGEST_PAUSE_S = 0.1
log = logging.getLogger("crates.cache")


class Abandoned(Exception):
    """Who led the flight has ended."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a flight brought. `outdated`: its key or a tag was changed since it began, so it was not kept."""

    value: Any
    entry: Entry | None = None
    outdated: bool = False

    def read(self) -> Any:
        return self.entry.read() if self.entry is not None else self.value


@dataclass(frozen=True, slots=True)
class Job:
    """One `get_or_set`, and what to fall back on."""

    key: str
    factory: Callable[[], Any]
    policy: Policy
    tags: tuple[str, ...] = ()
    old: Entry | None = None
    early: bool = False  # the old value is still fresh


class Core:
    """The cache of one namespace."""

    def __init__(self, levels: Levels, waiting: Blocking | Looping, space: Space) -> None:
        self._levels, self._waiting, self._space = levels, waiting, space

    async def find(self, key: str) -> tuple[Entry | None, Entry | None]:
        """The fresh entry of a key, or else one that is over but may still be given, from the nearest level."""
        watch = self._levels.flights.watch(key)
        try:
            return await self._find(key, watch)
        finally:
            self._levels.flights.end(watch)

    async def set(self, key: str, value: Any, policy: Policy, tags: tuple[str, ...]) -> None:
        """Raises TypeError for a value that is not of the namespace's type."""
        levels = self._levels
        levels.catch_up()
        watch = levels.flights.watch(key)
        try:
            entry = self._entry(value, policy, policy.life(None), await self.versions(tags))
            if entry is None:  # too large for any level
                await self.delete(key)
                return
            if levels.redis is not None:
                await self._store(key, entry, "")
            levels.replace(key, entry, watch)
        finally:
            levels.flights.end(watch)

    async def delete(self, key: str) -> None:
        # from the farthest level to the nearest: what is read meanwhile is spoiled before it is kept
        await self._drop_from_redis(key)
        self._levels.flights.spoil(key)
        self._levels.drop_from_disk(key)
        self._levels.forget(key)

    async def invalidate_tags(self, tags: tuple[str, ...]) -> None:
        levels, redis = self._levels, self._levels.redis
        bumped = levels.view.bump(tags)
        found = AWAY
        if redis is not None:
            found = await redis.bump(self._waiting, bumped)
            # Redis decides, and only then is this disk told: a process there may know a version beyond our next one
            bumped = beyond_all(bumped) if found is AWAY else dict(zip(bumped, found))
            if found is AWAY:
                redis.pending.add_tags(bumped)
        bumped = levels.bump_on_disk(bumped, decided=found is not AWAY)
        levels.view.told(bumped)

    async def get_or_set(self, job: Job) -> Any:
        levels = self._levels
        entry, old = await self.find(job.key)
        if entry is not None:
            if entry.is_nearly_over(job.policy.eager):
                self.refresh(entry, job)
            return entry.read()
        job = replace(job, old=old)
        while True:
            flight, leads = levels.flights.join(job.key, await self.versions(job.tags))
            try:
                outcome = await self._arrive(job, flight, leads)
            except Abandoned:
                continue
            # who came after a change must not be given what began before it
            if leads or not outcome.outdated:
                return outcome.read()
            job = replace(job, old=None)

    def refresh(self, entry: Entry, job: Job) -> None:
        """Starts to make an entry anew in the background."""
        versions = self._levels.view.versions((*job.tags, self._space.tag))
        if not all(version for _, version in versions):
            return  # of tags that are not known here: they are asked for when the entry's time is over
        flight, leads = self._levels.flights.join(job.key, versions)
        if leads:
            self._waiting.start(self._lead(replace(job, old=entry, early=True), flight), behind=True)

    async def versions(self, tags: Sequence[str]) -> Versions:
        """The versions of the tags, and of the namespace's own, as they are now."""
        wanted = (*tags, self._space.tag)
        await self._learn(self._levels.view.unknown(wanted))
        self._levels.view.assume(wanted)
        return self._levels.view.versions(wanted)

    # --- reading

    async def _find(self, key: str, watch: Watch) -> tuple[Entry | None, Entry | None]:
        levels, old = self._levels, None
        entry = levels.memory.get(key)
        if entry is not None:
            if await self._is_valid(entry, watch):
                if _is_fresh(entry):
                    levels.stats["memory"].hits += 1
                    return entry, None
                old = entry
            levels.stats["memory"].misses += 1
        else:
            levels.stats["memory"].misses += 1
        entry = levels.from_disk(key, self._space)
        if entry is not None and await self._is_valid(entry, watch):
            if _is_fresh(entry):
                levels.remember(key, entry, watch)
                return entry, None
            old = old or entry
        entry = await self._from_redis(key)
        if entry is not None and await self._is_valid(entry, watch):
            if _is_fresh(entry):
                levels.put_on_disk(key, entry, watch, is_new=False)
                levels.remember(key, entry, watch)
                return entry, None
            old = old or entry
        return None, old

    async def _from_redis(self, key: str) -> Entry | None:
        levels, redis = self._levels, self._levels.redis
        if redis is None or redis.breaker.is_open:
            return None
        started = time.perf_counter()
        found = await redis.read(self._waiting, key)
        entry = None
        if found is not AWAY and found[0] is not None and found[1] > 0:
            entry = levels.opened(key, self._space, REDIS, found[0], found[1])
            if entry is None:
                await self._drop_from_redis(key)
        levels.count(REDIS, entry is not None, started)
        return entry

    async def _is_valid(self, entry: Entry, watch: Watch) -> bool:
        """Whether the tags of what was read since `watch` began have not moved, as far as can be known."""
        levels, policy = self._levels, self._space.policy
        verdict = levels.verdict(entry, policy)
        if verdict is None:
            answered = await self._learn(levels.view.unknown(tag for tag, _ in entry.versions))
            verdict = levels.verdict(entry, policy)
            if verdict is None:  # nobody could be asked; or a tag moved while one was
                return not answered and levels.verdict_alone(entry, policy) and not watch.spoiled
        return verdict

    async def _learn(self, tags: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """Asks for the versions of tags, and whether they had none before; empty where nobody can say."""
        levels, redis = self._levels, self._levels.redis
        if not tags:
            return {}
        if len(levels.view.known) > MOST_TAGS:
            levels.forget_memory()
        epoch, moves, found = levels.view.epoch, levels.view.moves, {}
        if redis is not None:
            answer = await redis.versions(self._waiting, tags)
            if answer is not AWAY:
                found = {tag: (answer[2 * n + 1], answer[2 * n + 2] == 1) for n, tag in enumerate(tags)}
        elif levels.disk is not None:
            found = levels.on_disk(lambda disk: disk.tag_versions(tags), {})
        levels.view.learn({tag: version for tag, (version, _) in found.items()}, epoch, moves)
        return found

    # --- making

    async def _arrive(self, job: Job, flight: Flight, leads: bool) -> Outcome:
        """What the flight brings, or the old value if that is not there in time. Raises TimeoutError."""
        policy = job.policy
        seconds = policy.soft_timeout if job.old and policy.soft_timeout is not None else policy.hard_timeout
        if leads:
            self._waiting.start(self._lead(job, flight), behind=seconds is not None)
        try:
            return await self._waiting.wait(flight.done, seconds)
        except TimeoutError:
            if flight.done.done():
                return flight.done.result()
            if await self._can_fall_back(job, flight):
                self._levels.stats["factory"].stale += 1
                return Outcome(None, job.old)
            if job.old is None or policy.soft_timeout is None:
                raise
            return await self._arrive(replace(job, old=None), flight, False)

    async def _can_fall_back(self, job: Job, flight: Flight) -> bool:
        return job.old is not None and await self._is_valid(job.old, flight) and not flight.spoiled

    async def _lead(self, job: Job, flight: Flight) -> None:
        """Makes the value; what comes of it, error or not, is the flight's."""
        try:
            outcome = await self._made_or_taken(job, flight)
        except Exception as error:
            self._levels.flights.end(flight)
            flight.done.set_exception(error)
        except BaseException:  # this thread or task ends; the others can go on
            self._levels.flights.end(flight)
            flight.done.set_exception(Abandoned())
            raise
        else:
            self._levels.flights.end(flight)
            flight.done.set_result(outcome)

    async def _made_or_taken(self, job: Job, flight: Flight) -> Outcome:
        """The value, made here, or by another process meanwhile."""
        pause, token = 0.005, uuid.uuid4().hex
        while True:
            clock = await self._take_lease(job.key, token)
            try:
                # another may have made it between our look and the lease
                entry = None if job.early else (await self._find(job.key, flight))[0]
                if entry is not None:
                    return Outcome(None, entry)
                if clock is not None:
                    return await self._made(job, flight, token, clock)
            finally:
                if clock is not None:
                    await self._release(job.key, token)
            if job.early:
                return Outcome(None, job.old)
            await self._waiting.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_S)

    async def _made(self, job: Job, flight: Flight, token: str, clock: int) -> Outcome:
        levels, started, moves = self._levels, time.perf_counter(), self._levels.view.moves
        try:
            made = await self._waiting.call(job.factory)
        except Exception as error:  # whatever a factory raises: it goes to the caller, or the old value does
            levels.count("factory", False, started)
            levels.stats["factory"].errors += 1
            if job.old is None or not await self._can_fall_back(job, flight):
                raise
            log.warning("%s: the old value is given, since its factory failed: %r", job.key, error)
            return self._old(job, job.old, flight)
        levels.count("factory", True, started)
        made = made if isinstance(made, Made) else Made(made)
        versions = await self._versions_since(flight.versions, made.tags, clock, moves)
        if versions is None or levels.view.judge(flight.versions) is False or flight.spoiled:
            return Outcome(made.value, outdated=True)
        entry = self._entry(made.value, job.policy, job.policy.life(made.ttl), versions)
        if entry is None or made.ttl == 0:
            return Outcome(made.value)
        kept = await self._keep(job.key, entry, flight, token)
        return Outcome(None, entry, outdated=not kept)

    def _old(self, job: Job, old: Entry, flight: Flight) -> Outcome:
        """Gives the old value, for a while without calling the factory again."""
        self._levels.stats["factory"].stale += 1
        old.fresh_until = old.checked_until = min(time.monotonic() + THROTTLE_S, old.dead_at)
        old.is_old = True
        self._levels.remember(job.key, old, flight)
        return Outcome(None, old)

    async def _versions_since(self, before: Versions, tags: tuple[str, ...], clock: int, moves: int) -> Versions | None:
        """The versions of tags that only the factory knew, with those known before; None if one moved since then."""
        tags = checked(tags)
        if not tags:
            return before
        levels = self._levels
        levels.catch_up()
        found = await self._learn(tags) if levels.redis is not None else {}
        known = (await self.versions(tags))[: len(tags)]
        moved = any(version > clock and not new for version, new in found.values())
        return None if moved or levels.view.moved_since(tags, moves) else (*{**dict(known), **dict(before)}.items(),)

    async def _keep(self, key: str, entry: Entry, flight: Flight, token: str) -> bool:
        """Puts a made entry into every level, unless its key was changed since the flight began."""
        levels = self._levels
        if levels.redis is not None and token in levels.redis.leases.values():
            if await self._store(key, entry, token) == 0:
                flight.spoiled = True
        elif levels.redis is not None:
            levels.redis.pending.add_key(key, levels.disk.identity if levels.disk else "")
        if not flight.spoiled:
            levels.replace(key, entry, flight)
        return not flight.spoiled

    def _entry(self, value: Any, policy: Policy, life: tuple[float, float], versions: Versions) -> Entry | None:
        """The entry, None if it is too large. Raises TypeError for a value that would be read back as none, ValueError
        for too many tags."""
        tags = len(versions) - 1  # beside the namespace's own
        if tags > MOST_TAGS_OF_VALUE:
            raise ValueError(f"{tags} tags: a value has at most {MOST_TAGS_OF_VALUE}")
        try:
            payload = payload_of(value)
        except ValueError:
            return None
        try:
            # as it will be read later: what comes back from a level is what was given to the first caller
            value = value_of(payload, self._space.kind)
        except NotAnEntry as error:
            raise TypeError(f"a value of {self._space.tag} is no {self._space.kind}: {error}") from error
        entry = Entry(self._space.kind, payload, value, (0.0, *life), versions)
        self._levels.verdict(entry, policy)
        return entry

    # --- Redis and leases

    async def _store(self, key: str, entry: Entry, token: str) -> Any:
        levels, redis = self._levels, self._levels.redis
        assert redis
        disk = levels.disk.identity if levels.disk else ""
        sealed = levels.sealed(key, entry, REDIS)
        left_ms = round(1000 * (entry.dead_at - time.monotonic()))
        if len(sealed) > MOST_OF_VALUE or left_ms < 1:
            await self._drop_from_redis(key)
            return 1
        stored = await redis.store(self._waiting, key, disk, token, sealed, left_ms)
        if stored is AWAY:
            redis.pending.add_key(key, disk)
        return stored

    async def _drop_from_redis(self, key: str) -> None:
        redis, disk = self._levels.redis, self._levels.disk
        if redis is not None:
            name = disk.identity if disk else ""
            if await redis.drop(self._waiting, {key: name}) is AWAY:
                redis.pending.add_key(key, name)

    async def _take_lease(self, key: str, token: str) -> int | None:
        """The clock of tags if the entry may be made here, None while another process makes it."""
        redis, levels = self._levels.redis, self._levels
        if redis is not None:
            found = await redis.take_lease(self._waiting, key, token)
            if found is not AWAY:
                if not found[0]:
                    return None
                redis.leases[key] = token
                return found[1]
        return 0 if levels.on_disk(lambda disk: disk.take_lease(key), True) else None

    async def _release(self, key: str, token: str) -> None:
        redis = self._levels.redis
        if redis is not None and redis.leases.get(key) == token:
            del redis.leases[key]
            await redis.release(self._waiting, key, token)
        else:
            self._levels.on_disk(lambda disk: disk.release(key), None)


def _is_fresh(entry: Entry) -> bool:
    return time.monotonic() < entry.fresh_until
