"""How long values are fresh and served, and when they are refreshed."""

import time
from typing import Any

import pytest

from resources.cache import FactoryResult
from testing.cache_server import Factory, clear_memory, failing_factory, in_thread, until

EXACT = {"jitter": 0.0, "eager": None}


def test_a_value_is_served_for_its_ttl_from_memory_and_from_disk(cache: Any, clock: Any) -> None:
    cache.set("a", 1, ttl=100.0, **EXACT)
    clock.advance(99.0)
    if cache.core.levels.local.disk is not None:
        clear_memory(cache)
    assert cache.get("a") == 1
    clock.advance(2.0)
    assert cache.get("a") is None
    clear_memory(cache)
    assert cache.get("a", "default") == "default"


def test_jitter_spreads_the_expiry_of_values_set_together(disk_cache: Any) -> None:
    for number in range(30):
        disk_cache.set(str(number), number, ttl=1000.0, jitter=0.5)
    entries = [disk_cache.core.levels.local.memory.get(f"default@1/{number}") for number in range(30)]
    lives = sorted(entry.fresh_until - entry.made_at for entry in entries)
    assert 500 <= lives[0] < 800 < lives[-1] <= 1000
    assert len(set(lives)) > 20


@pytest.mark.parametrize("wrong", [{"ttl": 0}, {"grace": -1}, {"jitter": 1}])
def test_options_out_of_range_are_rejected(cache: Any, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected ttl"):
        cache.set("a", 1, **wrong)


def test_an_expired_value_is_served_within_grace_while_its_factory_fails(cache: Any, clock: Any) -> None:
    cache.set("a", "old", ttl=10.0, grace=100.0, **EXACT)
    clock.advance(11.0)
    assert cache.get("a") is None
    assert cache.get_or_set("a", failing_factory, ttl=10.0, grace=100.0) == "old"
    assert cache.stats()["factory"]["stale"] == 1
    again = Factory("new")
    assert cache.get_or_set("a", again) == "old", "a factory that failed is not called again for a second"
    assert again.calls == 0
    clock.advance(1.1)
    assert cache.get_or_set("a", again) == "new"


def test_an_expired_value_is_not_served_after_its_grace(cache: Any, clock: Any) -> None:
    cache.set("a", "old", ttl=10.0, grace=100.0, **EXACT)
    clock.advance(111.0)
    with pytest.raises(ConnectionError):
        cache.get_or_set("a", failing_factory)


@pytest.mark.parametrize("change", ["invalidate_tags", "delete"])
def test_an_expired_value_is_not_served_after_a_change(cache: Any, clock: Any, change: str) -> None:
    cache.set("a", "old", ttl=10.0, grace=100.0, tags=("x",), **EXACT)
    clock.advance(11.0)

    def changes_and_fails() -> None:
        getattr(cache, change)("x" if change == "invalidate_tags" else "a")
        failing_factory()

    with pytest.raises(ConnectionError):
        cache.get_or_set("a", changes_and_fails, tags=("x",))
    assert cache.get("a") is None


def test_after_the_soft_timeout_the_old_value_is_served_and_the_new_one_is_cached_later(cache: Any, clock: Any) -> None:
    cache.set("a", "old", ttl=10.0, grace=100.0, **EXACT)
    clock.advance(11.0)
    slow = Factory("new", held=True)
    assert [cache.get_or_set("a", slow, soft_timeout=0.02) for _ in range(2)] == ["old", "old"]
    slow.may_end.set()
    assert until(lambda: cache.get("a") == "new")
    assert slow.calls == 1


def test_the_soft_timeout_has_no_effect_without_a_stale_value(cache: Any) -> None:
    assert cache.get_or_set("a", lambda: time.sleep(0.05) or "made", soft_timeout=0.01) == "made"


def test_after_the_hard_timeout_the_caller_gets_an_error_and_the_value_is_cached_anyway(cache: Any) -> None:
    slow = Factory("made", held=True)
    with pytest.raises(TimeoutError):
        cache.get_or_set("a", slow, hard_timeout=0.05)
    slow.may_end.set()
    assert until(lambda: cache.get("a") == "made")
    assert slow.calls == 1


def test_the_hard_timeout_prefers_an_old_value_to_an_error(cache: Any, clock: Any) -> None:
    cache.set("a", "old", ttl=10.0, grace=100.0, **EXACT)
    clock.advance(11.0)
    slow = Factory("new", held=True)
    assert cache.get_or_set("a", slow, hard_timeout=0.05) == "old"
    slow.may_end.set()


def test_a_timeout_error_of_the_factory_reaches_the_caller_at_once(cache: Any) -> None:
    def gives_up() -> None:
        raise TimeoutError("of the factory")

    with pytest.raises(TimeoutError, match="of the factory"):
        cache.get_or_set("a", gives_up, hard_timeout=10.0)
    assert cache.get_or_set("a", lambda: 1) == 1


def test_a_hit_after_85_percent_of_the_ttl_starts_one_background_refresh(cache: Any, clock: Any) -> None:
    cache.set("a", "old", ttl=100.0, **EXACT)
    never = Factory("never")
    clock.advance(80.0)
    assert cache.get_or_set("a", never, tags=("x",)) == "old"
    assert never.calls == 0
    clock.advance(10.0)
    cache.set("tag", 1, tags=("x",))  # its version is known
    slow = Factory("new", held=True)
    assert cache.get_or_set("a", slow, tags=("x",)) == "old"
    assert slow.began.wait(10)
    assert cache.get_or_set("a", slow, tags=("x",)) == "old"
    slow.may_end.set()
    assert until(lambda: cache.get("a") == "new")
    assert slow.calls == 1
    cache.invalidate_tags("x")
    assert cache.get("a") is None, "the refreshed value has the tags of the call"


def test_a_factory_that_fails_is_not_called_early_for_a_throttled_value(cache: Any, clock: Any) -> None:
    cache.set("a", 1, ttl=10.0, grace=100.0, **EXACT)
    clock.advance(11.0)
    calls: list[int] = []
    for _ in range(20):
        assert (
            cache.get_or_set("a", lambda: calls.append(1) or failing_factory(), ttl=10.0, grace=100.0, eager=0.1) == 1
        )
    assert calls == [1]


def test_a_factory_may_return_the_ttl_of_its_value(cache: Any, clock: Any) -> None:
    assert cache.get_or_set("a", lambda: FactoryResult(1, ttl=5.0), ttl=1000.0) == 1
    assert cache.get("a") == 1
    clock.advance(6.0)
    assert cache.get("a") is None
    assert cache.get_or_set("b", lambda: FactoryResult(2, ttl=0), ttl=1000.0) == 2
    assert cache.get("b") is None


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_disk_entry_from_the_future_is_a_miss_and_an_older_one_ages(disk_cache: Any, clock: Any, hours: int) -> None:
    disk_cache.set("short", 1, ttl=600.0, **EXACT)
    disk_cache.set("long", 2, ttl=7200.0, **EXACT)
    clear_memory(disk_cache)
    clock.advance(hours * 3600)
    assert disk_cache.get("short") is None
    assert disk_cache.get("long") == (2 if hours > 0 else None)


def test_a_slow_factory_does_not_delay_other_keys(cache: Any) -> None:
    slow = Factory(1, held=True)
    thread, found = in_thread(lambda: cache.get_or_set("slow", slow))
    assert slow.began.wait(10)
    assert cache.get_or_set("fast", lambda: 2) == 2
    slow.may_end.set()
    thread.join()
    assert found == [1]
