"""What the cache promises, on real servers and with real other processes. test_cache_faults.py is about what fails."""

import asyncio
import inspect
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from resources.cache import AsyncCache, Cache, CacheSettings, Made, open_cache
from resources.common.errors import BadInput
from resources.common.settings import PROJECT
from testing.cache_server import KEY, Server, binaries, opened, peer_of, settings_of, until

LONG = 1000.0  # seconds: not over within a test
SURE = {"jitter": 0.0, "eager": None}
ALL_LEVELS, NO_REDIS, ONLY_MEMORY = "memory, disk and Redis", "memory and disk", "memory"


@pytest.fixture(scope="module", params=binaries(), ids=lambda path: Path(path).name)
def any_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"), request.param).start()
    yield started
    started.kill()


@pytest.fixture
def server(any_server: Server) -> Server:
    """Of each kind that is installed."""
    return any_server.renew()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("valkey")).start()
    yield started
    started.kill()


@pytest.fixture(params=[ALL_LEVELS, NO_REDIS, ONLY_MEMORY])
def cache(request: pytest.FixtureRequest, valkey: Server, tmp_path: Path) -> Iterator[Any]:
    """A cache of each make."""
    url = valkey.renew().url if request.param == ALL_LEVELS else ""
    disk_bytes = 0 if request.param == ONLY_MEMORY else 16 << 20
    with opened(settings_of(tmp_path / "cache", url, disk_bytes=disk_bytes)) as cache:
        yield cache


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Any]:
    with opened(settings_of(tmp_path / "cache", disk_bytes=0)) as cache:
        yield cache


@pytest.fixture(params=["one disk", "one disk, with Redis", "two disks"])
def pair(request: pytest.FixtureRequest, valkey: Server, tmp_path: Path) -> Iterator[Any]:
    """A cache, and one in another process that shares a disk, a Redis or both with it."""
    url = "" if request.param == "one disk" else valkey.renew().url
    other = tmp_path / ("other" if request.param == "two disks" else "cache")
    with opened(settings_of(tmp_path / "cache", url)) as cache, peer_of(settings_of(other, url)) as peer:
        yield cache, peer


def fails() -> Any:
    raise ConnectionError("the source is away")


class Counted:
    """A factory that counts its calls, and whose first call ends when it is let."""

    def __init__(self, value: Any, held: bool = False) -> None:
        self.value, self.calls = value, 0
        self.began, self.may_end = threading.Event(), threading.Event()
        if not held:
            self.may_end.set()
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            self.calls += 1
        self.began.set()
        assert self.may_end.wait(30)
        return self.value


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """A thread that does it, and what it found or raised."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


# --- time of life


def test_a_value_lives_for_its_ttl_whatever_level_it_comes_from(cache: Any) -> None:
    before = time.monotonic()
    cache.set("a", 1, ttl=1.0, **SURE)
    after = time.monotonic()
    assert cache.get("a") == 1 or time.monotonic() > before + 1.0
    time.sleep(0.6)
    if cache._levels.disk is not None:
        cache._levels.memory.clear()
    found = cache.get("a")  # from the disk into memory
    assert found == 1 or time.monotonic() > before + 1.0
    time.sleep(max(0.0, after + 1.05 - time.monotonic()))
    assert cache.get("a") is None
    cache._levels.memory.clear()
    assert cache.get("a", "none") == "none"


def test_redis_itself_says_how_much_of_a_life_is_left(server: Server, tmp_path: Path) -> None:
    with (
        opened(settings_of(tmp_path / "a", server.url)) as cache,
        opened(settings_of(tmp_path / "b", server.url)) as other,
    ):
        before = time.monotonic()
        cache.set("a", 1, ttl=1.0, grace=LONG, **SURE)
        after = time.monotonic()
        time.sleep(0.6)
        assert other.get("a") == 1 or time.monotonic() > before + 1.0
        time.sleep(max(0.0, after + 1.05 - time.monotonic()))
        assert other.get("a") is None


def test_jitter_spreads_what_was_made_together(server: Server, tmp_path: Path) -> None:
    with opened(settings_of(tmp_path / "a", server.url)) as cache:
        for number in range(30):
            cache.set(str(number), number, ttl=LONG, jitter=0.5)
        cache.set("sure", 0, ttl=LONG, jitter=0.0)
        left = sorted(server.client().pttl(key) for key in server.keys(":e:default@1/"))
    assert 950_000 < left[-1] <= 1_000_000
    assert 450_000 < left[0] < 800_000
    assert len(set(left)) > 20


@pytest.mark.parametrize("wrong", [{"ttl": 0}, {"grace": -1}, {"jitter": 1}])
def test_a_policy_that_makes_no_sense_is_refused(plain: Any, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected ttl"):
        plain.set("a", 1, **wrong)


# --- tags


def test_an_entry_is_valid_while_none_of_its_tags_is_bumped(cache: Any) -> None:
    cache.set("a", 1, tags=("x", "y"))
    cache.set("b", 2, tags=("y",))
    cache.set("c", 3)
    cache.invalidate_tags("x")
    assert [cache.get(key) for key in "abc"] == [None, 2, 3]
    cache.invalidate_tags("y", "never used")
    assert [cache.get(key) for key in "abc"] == [None, None, 3]
    cache.set("a", 4, tags=("x", "y"))
    assert cache.get("a") == 4


def test_a_tag_reaches_entries_that_outlive_a_sibling(cache: Any) -> None:
    """Where tags are sets with a time of life, it does not."""
    cache.set("long", 1, ttl=LONG, tags=("x",))
    cache.set("short", 2, ttl=0.05, tags=("x",))
    assert until(lambda: cache.get("short") is None)
    cache.invalidate_tags("x")
    assert cache.get("long") is None


def test_a_bumped_tag_is_seen_by_other_processes(pair: Any) -> None:
    cache, peer = pair
    cache.set("a", 1, tags=("x", "y"))
    cache.set("b", 2, tags=("y",))
    assert peer("[cache.get('a'), cache.get('b')]") == [1, 2]
    peer("cache.invalidate_tags('x')")
    shares_disk = cache._levels.disk.identity == peer("levels.disk.identity")
    assert until(lambda: cache.get("a") is None, 0 if shares_disk else 10)
    assert cache.get("b") == 2
    cache.invalidate_tags("y")
    assert until(lambda: peer("cache.get('b')") is None, 0 if shares_disk else 10)


def test_what_is_made_after_a_bump_is_shared_again(pair: Any) -> None:
    cache, peer = pair
    cache.set("a", 1, tags=("x",))
    assert peer("cache.get('a')") == 1
    peer("cache.invalidate_tags('x')")
    assert until(lambda: cache.get("a") is None)
    cache.set("a", 2, tags=("x",))
    assert peer("cache.get('a')") == 2


@pytest.mark.parametrize("tag", ["", "a@b", "a\0b", "x" * 201])
def test_tags_that_cannot_be_kept_are_refused(plain: Any, tag: str) -> None:
    with pytest.raises(ValueError, match="a tag has"):
        plain.set("a", 1, tags=(tag,))


# --- one factory at a time


def test_a_thousand_threads_call_one_factory_once(cache: Any) -> None:
    factory, gate, found = Counted("made", held=True), threading.Barrier(1001), []

    def work() -> None:
        gate.wait()
        found.append(cache.get_or_set("a", factory, tags=("x", "y")))

    threads = [threading.Thread(target=work) for _ in range(1000)]
    for thread in threads:
        thread.start()
    gate.wait()
    assert factory.began.wait(10)
    factory.may_end.set()
    for thread in threads:
        thread.join()
    assert factory.calls == 1
    assert found == ["made"] * 1000
    assert all(level["errors"] == 0 for level in cache.stats().values())


def test_a_thousand_tasks_call_one_factory_once(cache: Any) -> None:
    calls = []

    async def factory() -> str:
        calls.append(1)
        await asyncio.sleep(0.05)
        return "made"

    async def work() -> list[str]:
        own = cache.asynchronous()
        found = await asyncio.gather(*(own.get_or_set("a", factory, tags=("x", "y")) for _ in range(1000)))
        await own.close()
        return found

    assert asyncio.run(work()) == ["made"] * 1000
    assert len(calls) == 1
    assert all(level["errors"] == 0 for level in cache.stats().values())


def test_a_thousand_tasks_ask_for_different_keys(server: Server, tmp_path: Path) -> None:
    with opened(settings_of(tmp_path / "a", server.url, disk_bytes=0)) as cache:

        async def work() -> list[Any]:
            own = cache.asynchronous()
            await asyncio.gather(*(own.set(str(number), number) for number in range(1000)))
            cache._levels.memory.clear()
            found = await asyncio.gather(*(own.get(str(number)) for number in range(1000)))
            await own.close()
            return found

        assert asyncio.run(work()) == list(range(1000))
        assert cache.stats()["redis"]["errors"] == 0


def test_one_process_makes_a_value_for_all(pair: Any, tmp_path: Path) -> None:
    cache, peer = pair
    began, mine = tmp_path / "began", Counted("made here")
    peer.tell(f"cache.get_or_set('a', lambda: (Path({str(began)!r}).touch(), make('made there', 0.7)())[1])")
    assert until(began.exists)
    assert cache.get_or_set("a", mine) == "made there"
    assert mine.calls == 0
    assert peer.answer() == "made there"


def test_another_process_takes_over_from_one_that_was_killed(pair: Any, tmp_path: Path) -> None:
    cache, peer = pair
    began, mine = tmp_path / "began", Counted("made here")
    peer.tell(f"cache.get_or_set('a', lambda: (Path({str(began)!r}).touch(), time.sleep(60)))")
    assert until(began.exists)
    thread, found = in_thread(lambda: cache.get_or_set("a", mine))
    time.sleep(0.2)
    assert mine.calls == 0, "the other is at work"
    peer.kill()
    thread.join(20)
    assert found == ["made here"]


def test_a_lease_is_kept_while_its_factory_works(server: Server, tmp_path: Path) -> None:
    """Longer than a lease of a process that was killed lasts."""
    mine = Counted("made here")
    with (
        opened(settings_of(tmp_path / "a", server.url)) as cache,
        opened(settings_of(tmp_path / "b", server.url)) as other,
    ):
        slow = Counted("made there", held=True)
        thread, found = in_thread(lambda: other.get_or_set("a", slow))
        assert slow.began.wait(10)
        waiting, got = in_thread(lambda: cache.get_or_set("a", mine))
        time.sleep(2.0)
        slow.may_end.set()
        thread.join()
        waiting.join()
    assert (found, got, mine.calls) == (["made there"], ["made there"], 0)


def test_keys_of_a_process_do_not_wait_for_each_other(plain: Any) -> None:
    slow = Counted(1, held=True)
    thread, found = in_thread(lambda: plain.get_or_set("slow", slow))
    assert slow.began.wait(10)
    assert plain.get_or_set("fast", lambda: 2) == 2
    slow.may_end.set()
    thread.join()
    assert found == [1]


# --- old values


def test_an_old_value_is_given_while_its_factory_fails_within_grace(cache: Any) -> None:
    cache.set("a", "old", ttl=0.1, grace=LONG, **SURE)
    assert until(lambda: cache.get("a") is None)
    assert cache.get_or_set("a", fails, ttl=0.1, grace=LONG) == "old"
    assert cache.stats()["factory"]["stale"] == 1
    again = Counted("new")
    assert cache.get_or_set("a", again) == "old", "a factory that failed is left alone for a second"
    assert until(lambda: cache.get_or_set("a", again) == "new")
    assert again.calls == 1


def test_an_old_value_is_not_given_after_its_grace(cache: Any) -> None:
    cache.set("a", "old", ttl=0.05, grace=0.1, **SURE)
    time.sleep(0.16)
    with pytest.raises(ConnectionError):
        cache.get_or_set("a", fails)


def test_an_old_value_is_not_given_once_a_tag_was_bumped(cache: Any) -> None:
    cache.set("a", "old", ttl=0.05, grace=LONG, tags=("x",), **SURE)
    assert until(lambda: cache.get("a") is None)
    cache.invalidate_tags("x")
    with pytest.raises(ConnectionError):
        cache.get_or_set("a", fails)


def test_an_old_value_is_not_given_once_it_was_deleted_meanwhile(cache: Any) -> None:
    """The factory fails after the delete: what it began with is over."""
    cache.set("a", "old", ttl=0.05, grace=LONG, **SURE)
    assert until(lambda: cache.get("a") is None)

    def deletes_and_fails() -> None:
        cache.delete("a")
        fails()

    with pytest.raises(ConnectionError):
        cache.get_or_set("a", deletes_and_fails)
    assert cache.get("a") is None


def test_after_the_soft_timeout_the_old_value_is_given_and_the_refresh_ends_behind(cache: Any) -> None:
    cache.set("a", "old", ttl=0.05, grace=LONG, **SURE)
    assert until(lambda: cache.get("a") is None)
    slow = Counted("new", held=True)
    assert cache.get_or_set("a", slow, soft_timeout=0.05) == "old"
    assert cache.get_or_set("a", slow, soft_timeout=0.05) == "old"
    slow.may_end.set()
    assert until(lambda: cache.get("a") == "new")
    assert slow.calls == 1


def test_without_an_old_value_there_is_no_soft_timeout(cache: Any) -> None:
    assert cache.get_or_set("a", lambda: time.sleep(0.1) or "made", soft_timeout=0.01) == "made"


def test_after_the_hard_timeout_the_caller_is_told_and_the_value_is_kept_anyway(cache: Any) -> None:
    slow = Counted("made", held=True)
    with pytest.raises(TimeoutError):
        cache.get_or_set("a", slow, hard_timeout=0.05)
    slow.may_end.set()
    assert until(lambda: cache.get("a") == "made")
    assert slow.calls == 1


def test_the_hard_timeout_prefers_an_old_value_to_an_error(cache: Any) -> None:
    cache.set("a", "old", ttl=0.05, grace=LONG, **SURE)
    assert until(lambda: cache.get("a") is None)
    slow = Counted("new", held=True)
    assert cache.get_or_set("a", slow, hard_timeout=0.05) == "old"
    slow.may_end.set()


def test_what_a_factory_raises_is_raised(cache: Any) -> None:
    """A TimeoutError of its own, too, to all that wait for it; and the next call tries again."""

    def gives_up() -> None:
        raise TimeoutError("of the factory")

    with pytest.raises(TimeoutError, match="of the factory"):
        cache.get_or_set("a", gives_up, hard_timeout=10.0)
    assert cache.get_or_set("a", lambda: 1) == 1


def test_a_hit_late_in_life_starts_a_refresh_behind(cache: Any) -> None:
    cache.set("a", "old", ttl=LONG, **SURE)
    time.sleep(0.1)
    slow = Counted("new", held=True)
    assert cache.get_or_set("a", slow, eager=0.00001) == "old"
    assert slow.began.wait(10)
    assert cache.get_or_set("a", slow, eager=0.00001) == "old"
    slow.may_end.set()
    assert until(lambda: cache.get("a") == "new")
    assert slow.calls == 1


def test_a_hit_early_in_life_starts_none(cache: Any) -> None:
    cache.set("a", "old", ttl=LONG, **SURE)
    never = Counted("new")
    assert [cache.get_or_set("a", never) for _ in range(10)] == ["old"] * 10
    assert not never.began.wait(0.1)


# --- what a factory says of its value


def test_a_factory_may_say_how_long_its_value_lives(cache: Any) -> None:
    assert cache.get_or_set("a", lambda: Made(1, ttl=0.2), ttl=LONG, **SURE) == 1
    assert until(lambda: cache.get("a") is None, 5)
    assert cache.get_or_set("b", lambda: Made(2, ttl=0), ttl=LONG) == 2
    assert cache.get("b") is None


def test_a_factory_may_say_which_tags_its_value_has(cache: Any) -> None:
    assert cache.get_or_set("a", lambda: Made(1, tags=("late",)), tags=("early",)) == 1
    assert cache.get("a") == 1
    cache.invalidate_tags("late")
    assert cache.get("a") is None
    assert cache.get_or_set("a", lambda: Made(2, tags=("late",)), tags=("early",)) == 2
    cache.invalidate_tags("early")
    assert cache.get("a") is None


@pytest.mark.parametrize("known", [True, False], ids=["a tag in use", "a new tag"])
@pytest.mark.parametrize("told", ["before", "by the factory"])
def test_what_was_made_while_its_tag_was_bumped_is_not_kept(cache: Any, told: str, known: bool) -> None:
    if known:
        cache.set("b", 1, tags=("x",))

    def factory() -> Any:
        cache.invalidate_tags("x")
        return Made("over", tags=("x",)) if told == "by the factory" else "over"

    assert cache.get_or_set("a", factory, tags=("x",) if told == "before" else ()) == "over"
    assert cache.get("a") is None
    assert cache.get_or_set("a", lambda: Made("good", tags=("x",))) == "good"
    assert cache.get("a") == "good"


@pytest.mark.parametrize("told", ["before", "by the factory"])
def test_what_was_made_while_another_process_bumped_its_tag_is_not_given(pair: Any, told: str) -> None:
    cache, peer = pair

    def factory() -> Any:
        peer("cache.invalidate_tags('x')")
        return Made("over", tags=("x",)) if told == "by the factory" else "over"

    assert cache.get_or_set("a", factory, tags=("x",) if told == "before" else ()) == "over"
    assert until(lambda: cache.get("a") is None)
    assert peer("cache.get('a')") is None


@pytest.mark.parametrize("change", ["delete", "invalidate_tags", "clear"])
def test_who_comes_after_a_change_is_not_given_what_began_before_it(cache: Any, change: str) -> None:
    old = Counted("old", held=True)
    thread, found = in_thread(lambda: cache.get_or_set("a", old, tags=("x",)))
    assert old.began.wait(10)
    getattr(cache, change)(*{"delete": ("a",), "invalidate_tags": ("x",), "clear": ()}[change])
    later, got = in_thread(lambda: cache.get_or_set("a", lambda: "new", tags=("x",)))
    time.sleep(0.05)
    old.may_end.set()
    thread.join()
    later.join()
    assert (found, got) == (["old"], ["new"])
    assert cache.get("a") == "new"


def test_who_waits_while_the_key_is_changed_is_given_the_change(cache: Any) -> None:
    """Joined before the change, served after it: with what was set, not with what was made before."""
    old = Counted("old", held=True)
    first, _ = in_thread(lambda: cache.get_or_set("a", old))
    assert old.began.wait(10)
    second, got = in_thread(lambda: cache.get_or_set("a", lambda: "made again"))
    time.sleep(0.1)
    cache.set("a", "set")
    assert cache.get("a") == "set"
    old.may_end.set()
    first.join()
    second.join()
    assert cache.get("a") == "set"
    assert got != ["old"]


# --- sizes


def test_memory_keeps_within_its_bytes_and_what_was_read_lately(tmp_path: Path) -> None:
    with opened(settings_of(tmp_path, disk_bytes=0)) as cache:
        for number in range(1000):
            cache.set(str(number), noise(10_000) + bytes([number % 256]))
            assert cache.get("0") is not None
            assert cache.stats()["memory"]["bytes"] <= 4 << 20
        stats = cache.stats()["memory"]
        assert stats["entries"] + stats["evictions"] == 1000
        assert stats["entries"] > 100
        assert cache.get("1") is None


def test_memory_counts_values_as_large_as_they_are(tmp_path: Path) -> None:
    """Not as they are packed: a text of one letter packs to nothing."""
    with opened(settings_of(tmp_path, disk_bytes=0)) as cache:
        for number in range(100):
            cache.set(str(number), "x" * 100_000)
        assert cache.stats()["memory"]["entries"] * 100_000 <= 4 << 20


def test_the_disk_keeps_within_its_bytes_and_what_was_read_lately(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, disk_bytes=2 << 20)
    with opened(settings) as cache:
        for number in range(600):
            cache.set(str(number), noise(10_000) + bytes([number % 256]))
            cache._levels.memory.clear()
            assert cache.get("0") is not None
            assert cache.stats()["disk"]["bytes"] <= 2 << 20
        stats = cache.stats()["disk"]
        assert stats["entries"] + stats["evictions"] == 600
        assert stats["entries"] > 100
        cache._levels.memory.clear()
        assert cache.get("1") is None
        assert (tmp_path / "disk/data.mdb").stat().st_size <= 4 << 20
    with opened(settings) as cache:
        assert cache.get("0") is not None, "it is still there in the next process"
        assert cache.stats()["disk"]["entries"] == stats["entries"]


def test_redis_keeps_within_its_bytes_and_never_evicts_tags(tmp_path: Path) -> None:
    server = Server(tmp_path, maxmemory="8mb").start()
    try:
        with opened(settings_of(tmp_path / "a", server.url, disk_bytes=0)) as cache:
            for number in range(300):
                cache.set(str(number), noise(100_000), tags=(f"tag {number}",))
            assert int(server.client().info("stats")["evicted_keys"]) > 100  # type: ignore[index]
            assert len(server.keys(":t:")) == 301
            assert cache.stats()["redis"]["errors"] == 0
    finally:
        server.kill()


def test_a_value_too_large_for_memory_is_on_the_disk_and_the_old_one_is_gone(tmp_path: Path) -> None:
    with opened(settings_of(tmp_path)) as cache:
        cache.set("a", "old")
        large = noise(1_000_000)
        cache.set("a", large)
        assert cache.stats()["memory"]["entries"] == 0
        assert cache.get("a") == large
        assert cache.get_or_set("b", lambda: large) == large
        assert cache.get("b") == large


def test_a_value_too_large_for_all_levels_leaves_no_old_one(server: Server, tmp_path: Path) -> None:
    large = noise(3_000_000)
    with (
        opened(settings_of(tmp_path / "a", server.url)) as cache,
        opened(settings_of(tmp_path / "b", server.url)) as other,
    ):
        for way in (cache.set, lambda key, value: cache.get_or_set(key, lambda: value)):
            cache.set("a", "old", ttl=0.3, grace=LONG, **SURE)
            assert other.get("a") == "old"
            assert until(lambda: cache.get("a") is None and other.get("a") is None)
            way("a", large)
            assert cache.get("a") is None
            assert server.keys(":e:default@1/a") == []
            with pytest.raises(ConnectionError):
                cache.get_or_set("a", fails)
            if way == cache.set:
                assert until(lambda: isinstance(in_thread_now(lambda: other.get_or_set("a", fails)), ConnectionError))


def in_thread_now(work: Callable[[], Any]) -> Any:
    thread, found = in_thread(work)
    thread.join()
    return found[0]


# --- warming


def test_warming_with_values(cache: Any) -> None:
    assert cache.warm({"a": 1, "b": 2}, tags=("x",)) == 2
    assert [cache.get("a"), cache.get("b")] == [1, 2]
    cache.invalidate_tags("x")
    assert [cache.get("a"), cache.get("b")] == [None, None]


def test_warming_with_keys_brings_them_into_memory(server: Server, tmp_path: Path) -> None:
    with (
        opened(settings_of(tmp_path / "a", server.url)) as cache,
        opened(settings_of(tmp_path / "b", server.url)) as other,
    ):
        cache.set("a", 1)
        cache.set("b", 2)
        # what the backplane tells late is not kept the first time
        keys = ["a", "b", "never set"]
        assert until(lambda: other.warm(keys) == 2 and other.stats()["memory"]["entries"] == 2)
        server.kill()
        assert [other.get("a"), other.get("b")] == [1, 2]


def test_warming_with_what_was_used_last_when_the_cache_was_closed(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, memory_bytes=100_000)
    with opened(settings) as cache:
        for number in range(100):
            cache.set(f"{number}", noise(1000))
        cache.namespace("other").set("a", 1)
        cache.get("95")
        held = cache.stats()["memory"]["entries"]
        assert 10 < held < 100
    with opened(settings) as cache:
        assert cache.stats()["memory"]["entries"] == 0
        assert cache.warm() == held - 1, "the other namespace's is not of this one"
        assert cache.namespace("other").warm() == 1
        before = cache.stats()["disk"]["hits"]
        assert cache.get("95") is not None
        assert cache.stats()["disk"]["hits"] == before, "it comes from memory"


# --- other processes


def test_what_one_process_sets_and_deletes_the_other_sees(pair: Any) -> None:
    cache, peer = pair
    wait = 0 if cache._levels.disk.identity == peer("levels.disk.identity") else 10
    cache.set("a", 1)
    assert peer("cache.get('a')") == 1
    cache.set("a", 2)
    assert until(lambda: peer("cache.get('a')") == 2, wait)
    peer("cache.set('a', 3)")
    assert until(lambda: cache.get("a") == 3, wait)
    peer("cache.delete('a')")
    assert until(lambda: cache.get("a") is None, wait)
    assert peer("cache.get('a')") is None


@pytest.mark.parametrize("moment", ["before", "after"])
def test_of_two_values_set_at_once_both_have_one_or_none(pair: Any, moment: str) -> None:
    """The other process's comes in the middle of ours; what was there before is over in any case."""
    cache, peer = pair
    levels = cache._levels
    put = levels.put_on_disk

    def meets_another(*arguments: Any) -> None:
        levels.put_on_disk = put
        if moment == "after":
            put(*arguments)
        peer("cache.set('a', 'theirs')")
        if levels.redis is not None:
            time.sleep(0.3)
        if moment == "before":
            put(*arguments)

    cache.set("a", "first")
    assert peer("cache.get('a')") == "first"
    levels.put_on_disk = meets_another
    cache.set("a", "ours")
    assert until(lambda: cache.get("a") == peer("cache.get('a')"), 2)
    assert cache.get("a") in ("theirs", "ours", None)


@pytest.mark.parametrize("away", [False, True])
def test_an_invalidation_counts_on_the_disk_whatever_version_others_had(
    valkey: Server, tmp_path: Path, away: bool
) -> None:
    """After a flush that only one has noticed, that one may know a version beyond the other's next."""
    settings = settings_of(tmp_path / "cache", valkey.renew().url)
    with opened(settings) as cache, peer_of(settings) as peer:
        redis, tag = cache._levels.redis, cache.space.tag
        assert until(lambda: cache.set("a", "ours") or tag in cache._levels.view.known)
        ahead = cache._levels.view.known[tag] + 10**12
        valkey.client().mset({redis.tag(tag): ahead, redis.clock: ahead})
        peer("levels.forget_memory()")
        peer("setattr(levels, 'tag_changed', lambda *_: None)")  # what the stream brings comes too late
        peer("cache.set('a', 'theirs')")
        assert peer("cache.get('a')") == "theirs"
        if away:
            redis.breaker.open_s = LONG
            redis.breaker.failed(LONG)
        cache.clear()
        assert peer("cache.get('a')") is None
        assert cache.get("a") is None
        peer("delattr(levels, 'tag_changed')")


@pytest.mark.parametrize("away", [False, True])
def test_an_invalidation_counts_on_the_disk_after_a_flush_that_nobody_noticed(
    valkey: Server, tmp_path: Path, away: bool
) -> None:
    """Redis knows no better then than to give a version below the one that the other has."""
    settings = settings_of(tmp_path / "cache", valkey.renew().url)
    with opened(settings) as cache, peer_of(settings) as peer:
        redis, tag = cache._levels.redis, cache.space.tag
        assert until(lambda: peer("cache.set('a', 'theirs')") or peer(f"{tag!r} in levels.view.known"))
        ahead = peer(f"levels.view.known[{tag!r}]") + 10**12
        valkey.client().mset({redis.tag(tag): ahead, redis.clock: ahead})
        peer("levels.forget_memory()")
        peer("cache.set('a', 'theirs')")
        assert peer("cache.get('a')") == "theirs"
        valkey.client().delete(redis.tag(tag), redis.clock)
        cache._levels.forget_memory()
        cache.clear()
        if away:
            peer("setattr(levels.redis.breaker, 'open_s', 1000.0)")
            peer("levels.redis.breaker.failed(1000.0)")
        assert peer("cache.get('a')") is None
        assert cache.get("a") is None


@pytest.mark.parametrize("call", ["cache.set('a', 'old')", "cache.get_or_set('a', lambda: 'old')"])
def test_what_was_begun_before_all_was_forgotten_is_not_kept(valkey: Server, tmp_path: Path, call: str) -> None:
    settings = settings_of(tmp_path / "cache", valkey.renew().url)
    with opened(settings) as cache:
        levels, core = cache._levels, cache._core
        versions = core.versions

        async def versions_then_flush(tags: Any) -> Any:
            core.versions = versions
            found = await versions(tags)
            levels.forget_all()
            return found

        core.versions = versions_then_flush
        eval(call, {"cache": cache})
        assert not levels.memory.entries
        assert levels.disk.sizes()["entries"] == 0


# --- namespaces


def test_clearing_a_namespace_leaves_the_others(pair: Any) -> None:
    cache, peer = pair
    one, two = cache.namespace("one"), cache.namespace("two")
    one.set("a", 1)
    two.set("a", 2)
    assert peer("[cache.namespace(n).get('a') for n in ('one', 'two')]") == [1, 2]
    one.clear()
    assert [one.get("a"), two.get("a")] == [None, 2]
    assert until(lambda: peer("[cache.namespace(n).get('a') for n in ('one', 'two')]") == [None, 2])
    one.set("a", 3)
    assert until(lambda: peer("cache.namespace('one').get('a')") == 3)


def test_a_new_version_never_reads_an_old_one(pair: Any) -> None:
    cache, peer = pair
    old, new = cache.namespace("crates", version=1), cache.namespace("crates", version=2)
    old.set("a", {"name": "serde"})
    assert peer("[cache.namespace('crates', version=v).get('a') for v in (1, 2)]") == [{"name": "serde"}, None]
    assert new.get("a") is None
    new.set("a", {"title": "serde"})
    new.clear()
    assert old.get("a") == {"name": "serde"}


@pytest.mark.parametrize("name", ["", "a/b", "a@1", "ä", "a b"])
def test_namespaces_have_plain_names(plain: Any, name: str) -> None:
    with pytest.raises(ValueError, match="a namespace is named"):
        plain.namespace(name)


def test_keys_of_any_length_and_alphabet(cache: Any) -> None:
    keys = ["", " ", "ключ", "x" * 399, "x" * 10_000, "x" * 9_999 + "y", "é" * 250, "a/b:c{d}\n", "#"]
    for number, key in enumerate(keys):
        cache.set(key, number)
    cache._levels.memory.clear()
    if cache._levels.disk is not None:
        assert [cache.get(key) for key in keys] == list(range(len(keys)))
    with pytest.raises(ValueError, match="NUL"):
        cache.get("a\0b")


# --- values


class Crate(msgspec.Struct):
    name: str
    downloads: int


class Frozen(msgspec.Struct, frozen=True):
    name: str


def read_twice(cache: Any, key: str) -> list[Any]:
    """From memory, and from the level below if there is one."""
    found = [cache.get(key)]
    if cache._levels.disk is not None:
        cache._levels.memory.clear()
        found.append(cache.get(key))
    return found


VALUES: list[tuple[Any, Any]] = [
    (Crate, Crate("serde", 5)),
    (Frozen, Frozen("serde")),
    (list[Crate], [Crate("a", 1), Crate("b", 2)]),
    (bytes, b"\x80\x04."),
    (bytes, bytes(100_000)),
    (str, "ü" * 5000),
    (tuple[int, str], (1, "a")),
    (dict[str, list[int]], {"a": [1]}),
    (Any, {"a": [1, {"b": None}], "c": 1.5}),
    (int | None, None),
    (Any, False),
]


def test_values_come_back_as_what_they_were(cache: Any) -> None:
    for kind, value in VALUES:
        typed = cache.namespace("typed", kind=kind)
        typed.set("a", value)
        for found in read_twice(typed, "a"):
            assert (type(found), found) == (type(value), value)
        typed.delete("b")
        assert typed.get_or_set("b", lambda value=value: value) == value


def test_tables_come_back_as_what_they_were(cache: Any) -> None:
    tables = cache.namespace("tables", kind=pa.Table)
    table = pa.table({"name": ["serde", None], "downloads": pa.array([1, 2], pa.uint64())})
    tables.set("a", table)
    assert all(found.equals(table, check_metadata=True) for found in read_twice(tables, "a"))


def test_who_changes_what_was_given_does_not_change_the_cache(cache: Any) -> None:
    value = {"names": ["serde"]}
    cache.set("a", value)
    value["names"].append("changed after set")
    cache.get("a")["names"].append("changed after get")
    made = cache.get_or_set("b", lambda: {"names": []})
    made["names"].append("changed after it was made")
    crates = cache.namespace("crates", kind=Crate)
    crates.set("a", Crate("serde", 5))
    crates.get("a").downloads = 6
    assert cache.get("a") == {"names": ["serde"]}
    assert cache.get("b") == {"names": []}
    assert crates.get("a").downloads == 5


def test_none_is_a_value(cache: Any) -> None:
    factory = Counted(None)
    assert [cache.get_or_set("a", factory) for _ in range(3)] == [None] * 3
    assert factory.calls == 1
    assert cache.get("a", "default") is None
    assert cache.get("b", "default") == "default"


@pytest.mark.parametrize("value", [object(), {1, object()}, Crate("serde", 5), pa.table({"a": [1]})])
def test_a_value_of_another_type_is_told_to_who_sets_it(plain: Any, value: Any) -> None:
    numbers = plain.namespace("numbers", kind=int)
    with pytest.raises(TypeError):
        numbers.set("a", value)
    with pytest.raises(TypeError):
        numbers.get_or_set("a", lambda: value)
    assert numbers.get_or_set("a", lambda: 1) == 1


def test_a_kind_that_was_changed_without_a_new_version_is_a_miss(cache: Any) -> None:
    cache.namespace("crates", kind=Any).set("a", {"name": "serde"})
    if cache._levels.disk is not None:
        cache._levels.memory.clear()
        assert cache.namespace("crates", kind=Crate).get("a") is None


# --- forms


def test_cached_functions(cache: Any) -> None:
    calls = []

    @cache.cached(lambda a, b=0: f"{a}-{b}", tags=("x",), ttl=LONG)
    def add(a: int, b: int = 0) -> int:
        """Adds."""
        calls.append((a, b))
        return a + b

    assert [add(1), add(1), add(1, b=2), add(1, b=2)] == [1, 1, 3, 3]
    assert calls == [(1, 0), (1, 2)]
    assert add.__doc__ == "Adds."
    cache.invalidate_tags("x")
    assert add(1) == 1
    assert len(calls) == 3


def test_the_asynchronous_form_has_every_name_of_the_blocking_one(cache: Any) -> None:
    def names(form: type) -> set[str]:
        return {name for name in dir(form) if not name.startswith("_")}

    # these two are about levels and processes, which have no loop
    assert names(Cache) - names(AsyncCache) <= {"namespace", "asynchronous", "note_hottest"}
    for name in names(Cache) & names(AsyncCache):
        blocking, asynchronous = getattr(Cache, name), getattr(AsyncCache, name)
        if callable(blocking):
            assert list(inspect.signature(blocking).parameters) == list(inspect.signature(asynchronous).parameters)

    async def work() -> None:
        own, calls = cache.namespace("own", kind=int).asynchronous(), []

        async def factory() -> int:
            calls.append(1)
            await asyncio.sleep(0)
            return 2

        @own.cached(lambda number: str(number), tags=("x",))
        async def double(number: int) -> int:
            calls.append(1)
            return 2 * number

        await own.set("a", 1, tags=("x",))
        assert await own.get("a") == 1
        await own.delete("a")
        assert await own.get("a", 5) == 5
        assert await own.get_or_set("a", factory, tags=("x",)) == 2
        assert await own.get_or_set("a", factory, tags=("x",)) == 2
        assert await own.get_or_set("plain", lambda: 3) == 3
        assert [await double(4), await double(4)] == [8, 8]
        assert len(calls) == 2
        await own.invalidate_tags("x")
        assert await own.get("a") is None
        assert await own.warm({"b": 1}) == 1
        assert await own.warm(["b", "never set"]) == 1
        assert await own.warm() == 0
        assert own.stats()["factory"]["hits"] == 3
        await own.clear()
        assert await own.get("b") is None
        with pytest.raises(TimeoutError):
            await own.get_or_set("slow", lambda: asyncio.sleep(0.3, 1), hard_timeout=0.01)
        assert await own.get_or_set("slow", factory) == 1
        await own.close()

    asyncio.run(work())


def test_both_forms_read_what_the_other_wrote(cache: Any) -> None:
    cache.set("a", 1)

    async def work() -> Any:
        own = cache.asynchronous()
        await own.set("b", 2)
        found = await own.get("a")
        await own.close()
        return found

    assert asyncio.run(work()) == 1
    assert cache.get("b") == 2


def test_a_task_that_is_cancelled_does_not_take_the_value_of_the_others(cache: Any) -> None:
    async def work() -> tuple[Any, int]:
        own, calls = cache.asynchronous(), []

        async def factory() -> str:
            calls.append(1)
            await asyncio.sleep(0.2)
            return "made"

        first = asyncio.create_task(own.get_or_set("a", factory))
        second = asyncio.create_task(own.get_or_set("a", factory))
        await asyncio.sleep(0.05)
        first.cancel()
        found = await second
        await own.close()
        return found, len(calls)

    assert asyncio.run(work()) == ("made", 1)


def test_a_loop_that_ends_with_a_refresh_under_way_leaves_no_one_waiting(cache: Any) -> None:
    cache.set("a", "old", ttl=LONG, **SURE)
    time.sleep(0.05)

    async def work() -> Any:
        own = cache.asynchronous()
        return await own.get_or_set("a", lambda: asyncio.sleep(30, "never"), eager=0.00001)

    assert asyncio.run(work()) == "old"
    cache.delete("a")
    assert cache.get_or_set("a", lambda: "new", hard_timeout=10.0) == "new"
    cache.set("b", "old", ttl=0.3, grace=LONG, **SURE)
    time.sleep(0.05)

    async def late() -> Any:
        return await cache.asynchronous().get_or_set("b", lambda: asyncio.sleep(30, "never"), eager=0.00001)

    asyncio.run(late())
    assert until(lambda: cache.get("b") is None)
    assert cache.get_or_set("b", lambda: "new", hard_timeout=10.0) == "new"


def test_stats(server: Server, tmp_path: Path) -> None:
    with opened(settings_of(tmp_path / "a", server.url)) as cache:
        assert cache.get_or_set("a", lambda: 1) == 1
        assert cache.get("a") == 1
        cache._levels.memory.clear()
        assert cache.get("a") == 1
        cache._levels.memory.clear()
        cache._levels.disk.delete("default@1/a")
        assert cache.get("a") == 1
        assert cache.get("b") is None
        with pytest.raises(ConnectionError):
            cache.get_or_set("c", fails)
        found = cache.stats()
    assert {name: level["hits"] for name, level in found.items()} == {
        "memory": 1, "disk": 1, "redis": 1, "factory": 1,
    }  # fmt: skip
    assert {name: level["errors"] for name, level in found.items()} == {
        "memory": 0, "disk": 0, "redis": 0, "factory": 1,
    }  # fmt: skip
    assert found["disk"]["misses"] >= 4
    assert found["redis"]["misses"] >= 3
    assert (found["memory"]["entries"], found["disk"]["entries"]) == (1, 1)
    assert found["memory"]["bytes"] > 400
    assert 0 < found["disk"]["p50_s"] <= found["disk"]["p99_s"] < 1


# --- opening


def test_a_cache_is_opened_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with opened(settings) as cache:
        assert open_cache(settings) is cache
        cache.set("a", 1)
    with opened(settings) as again:
        assert again is not cache
        assert again.get("a") == 1


def test_without_a_key_one_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    settings = CacheSettings(tmp_path / "cache", disk_bytes=1 << 20)
    with opened(settings) as cache:
        cache.set("a", 1)
    made = tmp_path / "cache/key"
    assert made.stat().st_mode & 0o777 == 0o600
    with opened(settings) as cache:
        assert cache.get("a") == 1
    made.chmod(0o644)
    with pytest.raises(BadInput, match="others may read"):
        open_cache(settings)
    with pytest.raises(BadInput, match="under 16 bytes"):
        open_cache(CacheSettings(tmp_path, key="short"))


def test_caches_with_another_key_do_not_meet(server: Server, tmp_path: Path) -> None:
    mine = CacheSettings(tmp_path / "a", disk_bytes=0, redis_url=server.url, key=KEY, timeout_s=2.0)
    other = CacheSettings(tmp_path / "b", disk_bytes=0, redis_url=server.url, key=KEY + "!", timeout_s=2.0)
    with opened(mine) as cache, opened(other) as another:
        cache.set("a", 1)
        assert another.get("a") is None
        another.clear()
        another.delete("a")
        cache._levels.memory.clear()
        assert cache.get("a") == 1


EMBEDDED = """
import sys
from pathlib import Path
from resources.cache import CacheSettings, open_cache
cache = open_cache(CacheSettings(Path(sys.argv[1]), redis_url="embedded", disk_bytes=0, timeout_s=2.0))
cache.set("a", 1)
cache._levels.memory.clear()
print(cache.get("a"), cache.stats()["redis"]["hits"], cache._levels.redis.url.removeprefix("unix://"))
"""


def test_the_embedded_server_ends_with_its_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EMBEDDED, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    value, hits, socket = done.stdout.split()
    assert (value, hits) == ("1", "1")
    assert not Path(socket).parent.exists()


FORKING = """
import os, sys
from pathlib import Path
from resources.cache import CacheSettings, open_cache
settings = CacheSettings(Path(sys.argv[1]), redis_url=sys.argv[2], key=sys.argv[3], timeout_s=2.0, disk_bytes=1 << 20)
cache = open_cache(settings)
cache.set("before", 1)
child = os.fork()
own = open_cache(settings)
if not child:
    good = own is not cache and own._levels.disk is not None and own.get("before") == 1
    good = good and cache.get("before") is None and [cache.get_or_set("kept", int), cache.get("kept")] == [0, None]
    own.set("by the child", 2)
    own.invalidate_tags("x")
    os._exit(0 if good and own.stats()["redis"]["errors"] == 0 else 1)
status = os.waitpid(child, 0)[1]
cache.set("after", 3)
print(status, own is cache, cache.get("before"), cache.get("by the child"), cache.get("after"), flush=True)
"""


def test_a_forked_child_opens_its_own(server: Server, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path / "a"), server.url, KEY],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == ["0", "True", "1", "2", "3"], done.stdout + done.stderr
