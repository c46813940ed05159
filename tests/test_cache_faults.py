"""Faults of the cache's levels: each is a miss, never an error and never a wrong value.

Redis hung, killed, restarted and flushed, entries changed in place and killed processes: tests/test_cache_machine.py.
"""

import pickle
import time
from pathlib import Path
from typing import Any

import pytest

from resources.cache import Cache, CacheSettings, close_cache, open_cache

VALUE = {"crate": "serde", "score": 0.9}


def opened(tmp_path: Path, **settings: Any) -> Cache:
    cache = open_cache(CacheSettings(tmp_path / "cache", **settings))
    return cache.namespace("planted", version=2, kind=dict[str, Any])


def raw(cache: Cache, key: str) -> bytes:
    """The bytes of an entry on the disk."""
    assert cache._levels.disk is not None
    found = cache._levels.disk.get(cache._key(key))
    assert found is not None
    return found


def plant(cache: Cache, key: str, entry: bytes) -> None:
    """Puts bytes in the place of an entry, as somebody who can write the disk would."""
    assert cache._levels.disk is not None
    cache._levels.memory.clear()
    assert cache._levels.disk.put(cache._key(key), entry, lambda: True, True)


@pytest.mark.parametrize("what", ["pickle", "truncated", "empty", "bit", "key", "namespace", "schema", "level"])
def test_what_was_planted_on_the_disk_is_a_miss_and_is_deleted(tmp_path: Path, what: str) -> None:
    cache = opened(tmp_path)
    others = cache.namespace("others", version=2, kind=dict[str, Any])
    older = cache.namespace("planted", version=1, kind=dict[str, Any])
    for one in (cache, others, older):
        one.set("serde", VALUE)
    cache.set("tokio", VALUE)
    whole = raw(cache, "serde")
    bytes_of = {
        "pickle": pickle.dumps(VALUE),
        "truncated": whole[:-1],
        "empty": b"",
        "bit": bytes([*whole[:-30], whole[-30] ^ 1, *whole[-29:]]),
        "key": raw(cache, "tokio"),
        "namespace": raw(others, "serde"),
        "schema": raw(older, "serde"),
        "level": whole.replace(b"disk", b"rdis"),
    }
    plant(cache, "serde", bytes_of[what])
    errors = cache.stats()["disk"]["errors"]
    assert cache.get("serde") is None
    assert cache.stats()["disk"]["errors"] == errors + 1
    assert cache._levels.disk is not None and cache._levels.disk.get(cache._key("serde")) is None
    assert cache.get_or_set("serde", lambda: {"made": "anew"}) == {"made": "anew"}


def test_every_bit_of_an_entry_counts(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.set("serde", VALUE)
    whole = raw(cache, "serde")
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        plant(cache, "serde", bytes(changed))
        assert cache.get("serde") is None, place
    plant(cache, "serde", whole)
    assert cache.get("serde") == VALUE


def test_redis_that_is_down_at_the_start_costs_hits_and_nothing_else(tmp_path: Path) -> None:
    cache = opened(tmp_path, redis_url=f"unix://{tmp_path}/no.sock")
    cache.set("serde", VALUE, tags=["crate"])
    assert cache.get("serde") == VALUE
    cache._levels.memory.clear()
    assert cache.get("serde") == VALUE
    cache.invalidate_tags("crate")
    assert cache.get("serde") is None
    assert cache.get_or_set("serde", lambda: {"made": "anew"}) == {"made": "anew"}
    assert cache.stats()["redis"]["errors"] > 0


def test_a_value_too_large_for_every_level_is_given_and_not_kept(tmp_path: Path) -> None:
    cache = opened(tmp_path, memory_bytes=1 << 20, disk_bytes=1 << 20).namespace("large", kind=bytes)
    large = bytes(range(256)) * 4096
    cache.set("key", b"small")
    assert cache.get_or_set("other", lambda: large) == large
    cache.set("key", large[::-1])
    assert cache.get("key") in (None, large[::-1])


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_an_hour_off_makes_no_value_live_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    settings = CacheSettings(tmp_path / "cache")
    cache = open_cache(settings).namespace("clock", kind=int)
    cache.set("short", 1, ttl=0.3, jitter=0.0)
    cache.set("long", 2, ttl=600.0)
    close_cache(settings)
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + hours * 3600 * 10**9)
    later = open_cache(settings).namespace("clock", kind=int)
    assert later.get("long") == 2
    time.sleep(0.4)
    assert later.get("short") is None
