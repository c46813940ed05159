"""Tags, single flight, asyncio and warming, with every subset of the levels."""

import asyncio
import inspect
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from resources.cache import AsyncCache, Cache, FactoryResult
from testing.cache_server import (
    Factory,
    Server,
    cache_settings,
    clear_memory,
    failing_factory,
    in_thread,
    opened,
    until,
)

LONG = 1000.0  # seconds: longer than a test
EXACT = {"jitter": 0.0, "eager": None}


# --- tags


def test_an_entry_is_valid_until_one_of_its_tags_is_invalidated(cache: Any) -> None:
    cache.set("a", 1, tags=("x", "y"))
    cache.set("b", 2, tags=("y",))
    cache.set("c", 3)
    cache.invalidate_tags("x")
    assert [cache.get(key) for key in "abc"] == [None, 2, 3]
    cache.invalidate_tags("y", "never used")
    assert [cache.get(key) for key in "abc"] == [None, None, 3]
    cache.set("a", 4, tags=("x", "y"))
    assert cache.get("a") == 4


def test_a_tag_invalidates_entries_that_outlive_others_of_the_tag(cache: Any) -> None:
    """A tag stored as a set of keys that expires fails here."""
    cache.set("long", 1, ttl=LONG, tags=("x",))
    cache.set("short", 2, ttl=0.05, tags=("x",))
    assert until(lambda: cache.get("short") is None)
    cache.invalidate_tags("x")
    assert cache.get("long") is None


def test_a_factory_may_add_tags_to_its_value(cache: Any) -> None:
    assert cache.get_or_set("a", lambda: FactoryResult(1, tags=("late",)), tags=("early",)) == 1
    assert cache.get("a") == 1
    cache.invalidate_tags("late")
    assert cache.get("a") is None
    assert cache.get_or_set("a", lambda: FactoryResult(2, tags=("late",)), tags=("early",)) == 2
    assert cache.get("a") == 2
    cache.invalidate_tags("early")
    assert cache.get("a") is None


@pytest.mark.parametrize("known", [True, False], ids=["a tag in use", "a new tag"])
@pytest.mark.parametrize("added", ["by the caller", "by the factory"])
def test_a_value_computed_while_its_tag_was_invalidated_is_not_cached(cache: Any, added: str, known: bool) -> None:
    if known:
        cache.set("b", 1, tags=("x",))

    def factory() -> Any:
        cache.invalidate_tags("x")
        return FactoryResult("outdated", tags=("x",)) if added == "by the factory" else "outdated"

    assert cache.get_or_set("a", factory, tags=("x",) if added == "by the caller" else ()) == "outdated"
    assert cache.get("a") is None
    assert cache.get_or_set("a", lambda: FactoryResult("good", tags=("x",))) == "good"
    assert cache.get("a") == "good"


# --- single flight


def test_a_thousand_threads_call_the_factory_once(cache: Any) -> None:
    factory, gate, found = Factory("made", held=True), threading.Barrier(1001), []

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


def test_a_thousand_tasks_call_the_factory_once(cache: Any) -> None:
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


@pytest.mark.parametrize("change", ["delete", "invalidate_tags", "clear"])
def test_a_caller_after_a_change_does_not_join_an_earlier_factory_call(cache: Any, change: str) -> None:
    old = Factory("old", held=True)
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


def test_a_value_set_during_a_factory_call_replaces_the_factorys_value(cache: Any) -> None:
    old = Factory("old", held=True)
    first, _ = in_thread(lambda: cache.get_or_set("a", old))
    assert old.began.wait(10)
    second, got = in_thread(lambda: cache.get_or_set("a", lambda: "made again"))
    time.sleep(0.05)
    cache.set("a", "set")
    old.may_end.set()
    first.join()
    second.join()
    assert cache.get("a") == "set"
    assert got == ["set"] or got == ["made again"]


def test_every_caller_gets_the_error_of_the_factory_and_the_next_one_tries_again(cache: Any) -> None:
    for _ in range(2):
        with pytest.raises(ConnectionError):
            cache.get_or_set("a", failing_factory)
    assert cache.get_or_set("a", lambda: 1) == 1
    assert cache.stats()["factory"]["errors"] == 2


# --- decorator, warming


def test_a_cached_function_is_called_once_for_each_key(cache: Any) -> None:
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


def test_warming_loads_entries_into_memory(server: Server, tmp_path: Path) -> None:
    with (
        opened(cache_settings(tmp_path / "a", server.url)) as cache,
        opened(cache_settings(tmp_path / "b", server.url)) as other,
    ):
        cache.set("a", 1)
        cache.set("b", 2)
        # a value is not put into memory if its change message arrives during the read
        assert until(lambda: other.warm(["a", "b", "never set"]) == 2 and other.stats()["memory"]["entries"] == 2)
        server.kill()
        assert [other.get("a"), other.get("b")] == [1, 2]


# --- asyncio


def test_async_cache_has_the_methods_of_cache(cache: Any) -> None:
    def names(form: type) -> set[str]:
        return {name for name in dir(form) if not name.startswith("_")}

    assert names(Cache) - names(AsyncCache) == {"namespace", "asynchronous"}
    for name in names(Cache) & names(AsyncCache):
        for_threads, for_loops = getattr(Cache, name), getattr(AsyncCache, name)
        assert list(inspect.signature(for_threads).parameters) == list(inspect.signature(for_loops).parameters)

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
        assert [await own.get_or_set("a", factory, tags=("x",)) for _ in range(2)] == [2, 2]
        assert await own.get_or_set("plain", lambda: 3) == 3
        assert [await double(4), await double(4)] == [8, 8]
        assert len(calls) == 2
        await own.invalidate_tags("x")
        assert await own.get("a") is None
        await own.set("b", 1)
        assert await own.warm(["b", "never set"]) == 1
        await own.clear()
        assert await own.get("b") is None
        with pytest.raises(TimeoutError):
            await own.get_or_set("slow", lambda: asyncio.sleep(0.3, 1), hard_timeout=0.01)
        assert await own.get_or_set("slow", factory) == 1
        await own.close()

    asyncio.run(work())


def test_cache_and_async_cache_read_each_others_values(cache: Any) -> None:
    cache.set("a", 1)

    async def work() -> Any:
        own = cache.asynchronous()
        await own.set("b", 2)
        found = await own.get("a")
        await own.close()
        return found

    assert asyncio.run(work()) == 1
    assert cache.get("b") == 2


def test_cancelling_one_task_does_not_cancel_the_factory_for_others(cache: Any) -> None:
    async def work() -> tuple[Any, int]:
        own, calls = cache.asynchronous(), []

        async def factory() -> str:
            calls.append(1)
            await asyncio.sleep(0.1)
            return "made"

        first = asyncio.create_task(own.get_or_set("a", factory))
        second = asyncio.create_task(own.get_or_set("a", factory))
        await asyncio.sleep(0.03)
        first.cancel()
        found = await second
        await own.close()
        return found, len(calls)

    assert asyncio.run(work()) == ("made", 1)


def test_an_event_loop_that_ends_during_a_refresh_leaves_no_caller_waiting(cache: Any) -> None:
    cache.set("a", "old", ttl=LONG, **EXACT)
    time.sleep(0.05)

    async def work() -> Any:
        own = cache.asynchronous()
        return await own.get_or_set("a", lambda: asyncio.sleep(30, "never"), eager=0.00001)

    assert asyncio.run(work()) == "old"
    cache.delete("a")
    assert cache.get_or_set("a", lambda: "new", hard_timeout=10.0) == "new"


def test_a_thread_calls_the_factory_itself_if_the_leading_task_was_cancelled(cache: Any) -> None:
    begun = threading.Event()

    async def never() -> None:
        begun.set()
        await asyncio.sleep(60)

    async def lead() -> None:
        task = asyncio.ensure_future(cache.asynchronous().get_or_set("a", never))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()

    def follow() -> Any:
        begun.wait(10)
        return cache.get_or_set("a", lambda: "its own")

    thread, found = in_thread(follow)
    asyncio.run(lead())
    thread.join(20)
    assert found == ["its own"]


def test_factories_run_in_the_callers_thread_if_no_thread_can_be_started(
    cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    for number in range(100):
        assert cache.get_or_set(str(number), lambda: 1, hard_timeout=5.0) == 1


def test_a_thousand_tasks_read_and_write_different_keys(server: Server, tmp_path: Path) -> None:
    with opened(cache_settings(tmp_path / "a", server.url, disk_bytes=0)) as cache:

        async def work() -> list[Any]:
            own = cache.asynchronous()
            await asyncio.gather(*(own.set(str(number), number) for number in range(1000)))
            clear_memory(cache)
            found = await asyncio.gather(*(own.get(str(number)) for number in range(1000)))
            await own.close()
            return found

        assert asyncio.run(work()) == list(range(1000))
        assert cache.stats()["redis"]["errors"] == 0
