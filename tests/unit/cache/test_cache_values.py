"""Values, keys, size limits, and entries that were tampered with."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from testing.cache_server import Factory, cache_settings, clear_memory, opened

# code that would end the process if it were unpickled
PICKLE = b"cbuiltins\nexec\n(S'import os; os._exit(77)'\ntR."
VALUE = {"crate": "serde", "score": 0.9}


class Crate(msgspec.Struct):
    name: str
    downloads: int


class Frozen(msgspec.Struct, frozen=True):
    name: str


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


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("kind, value", VALUES)
def test_each_level_returns_an_equal_value_of_the_same_type(disk_cache: Any, kind: Any, value: Any) -> None:
    typed = disk_cache.namespace("typed", kind=kind)
    typed.set("a", value)
    from_memory = typed.get("a", "missing")
    clear_memory(disk_cache)
    for found in (from_memory, typed.get("a", "missing"), typed.get_or_set("b", lambda: value)):
        assert (type(found), found) == (type(value), value)


def test_a_caller_that_changes_a_value_does_not_change_the_cache(cache: Any) -> None:
    value = {"names": ["serde"]}
    cache.set("a", value)
    value["names"].append("changed after set")
    cache.get("a")["names"].append("changed after get")
    cache.get_or_set("b", lambda: {"names": []})["names"].append("changed after it was made")
    assert (cache.get("a"), cache.get("b")) == ({"names": ["serde"]}, {"names": []})
    frozen = cache.namespace("frozen", kind=Frozen)
    frozen.set("a", Frozen("serde"))
    assert frozen.get("a") is frozen.get("a"), "frozen values are shared"


def test_none_is_a_value(cache: Any) -> None:
    factory = Factory(None)
    assert [cache.get_or_set("a", factory) for _ in range(3)] == [None] * 3
    assert factory.calls == 1
    assert (cache.get("a", "default"), cache.get("b", "default")) == (None, "default")


@pytest.mark.parametrize("value", [object(), {1, object()}, Crate("serde", 5)])
def test_a_value_of_another_type_raises_type_error(cache: Any, value: Any) -> None:
    numbers = cache.namespace("numbers", kind=int)
    with pytest.raises(TypeError):
        numbers.set("a", value)
    with pytest.raises(TypeError):
        numbers.get_or_set("a", lambda: value)
    assert numbers.get_or_set("a", lambda: 1) == 1


def test_an_entry_that_does_not_fit_a_changed_kind_is_a_miss(disk_cache: Any) -> None:
    disk_cache.namespace("crates", kind=Any).set("a", {"name": "serde"})
    clear_memory(disk_cache)
    assert disk_cache.namespace("crates", kind=Crate).get("a") is None


def test_keys_may_have_any_length_and_alphabet(disk_cache: Any) -> None:
    keys = ["", " ", "ключ", "x" * 399, "x" * 10_000, "x" * 9_999 + "y", "é" * 250, "a/b:c{d}\n", "#"]
    for number, key in enumerate(keys):
        disk_cache.set(key, number)
    clear_memory(disk_cache)
    assert [disk_cache.get(key) for key in keys] == list(range(len(keys)))


@pytest.mark.parametrize("call", ["get", "set", "delete", "get_or_set"])
@pytest.mark.parametrize("key, error", [("a\0b", ValueError), ("\udcff", UnicodeEncodeError)])
def test_a_key_that_cannot_be_stored_is_rejected(cache: Any, call: str, key: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        getattr(cache, call)(key, *([int] if "set" in call else []))


@pytest.mark.parametrize("name", ["", "a/b", "a@1", "ä", "a b"])
def test_an_invalid_name_of_a_namespace_is_rejected(cache: Any, name: str) -> None:
    with pytest.raises(ValueError, match="expected a namespace"):
        cache.namespace(name)


def test_namespaces_and_versions_are_separate(cache: Any) -> None:
    one, two, later = cache.namespace("one"), cache.namespace("two"), cache.namespace("one", version=2)
    for number, space in enumerate((one, two, later)):
        space.set("a", number)
    one.clear()
    assert [space.get("a") for space in (one, two, later)] == [None, 1, 2]


# --- sizes


def test_memory_evicts_the_least_recently_used(tmp_path: Path) -> None:
    with opened(cache_settings(tmp_path, disk_bytes=0)) as cache:
        for number in range(1000):
            cache.set(str(number), noise(10_000) + bytes([number % 256]))
            assert cache.get("0") is not None
            assert cache.stats()["memory"]["bytes"] <= 4 << 20
        stats = cache.stats()["memory"]
        assert stats["entries"] + stats["evictions"] == 1000
        assert stats["entries"] > 100
        assert cache.get("1") is None
        for number in range(100):
            cache.set(f"compressible {number}", "x" * 100_000)
        assert cache.stats()["memory"]["entries"] * 100_000 <= 4 << 20, "a value counts uncompressed"


def test_the_disk_evicts_the_oldest_entry_that_was_not_read(tmp_path: Path) -> None:
    settings = cache_settings(tmp_path, disk_bytes=2 << 20)
    with opened(settings) as cache:
        for number in range(600):
            cache.set(str(number), noise(10_000) + bytes([number % 256]))
            clear_memory(cache)
            assert cache.get("0") is not None
        stats = cache.stats()["disk"]
        assert stats["bytes"] <= 2 << 20
        assert stats["entries"] + stats["evictions"] == 600
        assert stats["entries"] > 100
        clear_memory(cache)
        assert cache.get("1") is None
    assert (tmp_path / "disk/data.mdb").stat().st_size <= 4 << 20
    with opened(settings) as cache:
        assert cache.get("0") is not None, "the next process reads it"


def test_a_value_too_large_for_memory_is_only_on_the_disk(disk_cache: Any) -> None:
    disk_cache.set("a", "old")
    large = noise(1_000_000)
    disk_cache.set("a", large)
    assert disk_cache.stats()["memory"]["entries"] == 0
    assert disk_cache.get("a") == large
    assert disk_cache.get_or_set("b", lambda: large) == large


def test_a_value_too_large_for_every_level_deletes_the_old_one(disk_cache: Any) -> None:
    large = noise(3_000_000)
    disk_cache.set("a", "old", ttl=1000.0, grace=1000.0)
    disk_cache.set("a", large)
    assert disk_cache.get("a") is None
    assert disk_cache.get_or_set("a", lambda: large) == large
    assert disk_cache.get("a") is None


# --- entries that were tampered with


def raw(cache: Any, key: str) -> bytes:
    return cache.core.levels.local.disk.get(cache.core.prefix + key)


def plant(cache: Any, key: str, sealed: bytes) -> None:
    clear_memory(cache)
    assert cache.core.levels.local.disk.put(cache.core.prefix + key, sealed, lambda: True)


@pytest.mark.parametrize("what", ["pickle", "truncated", "empty", "key", "namespace", "version", "level"])
def test_a_planted_entry_is_a_miss_and_is_deleted(disk_cache: Any, what: str) -> None:
    cache = disk_cache.namespace("planted", version=2, kind=dict[str, Any])
    others = disk_cache.namespace("others", version=2), disk_cache.namespace("planted", version=1)
    for one in (cache, *others):
        one.set("serde", VALUE)
    cache.set("tokio", VALUE)
    whole = raw(cache, "serde")
    sealed = {
        "pickle": PICKLE,
        "truncated": whole[:-1],
        "empty": b"",
        "key": raw(cache, "tokio"),
        "namespace": raw(others[0], "serde"),
        "version": raw(others[1], "serde"),
        "level": whole.replace(b"disk", b"rdis"),
    }
    plant(cache, "serde", sealed[what])
    assert cache.get("serde") is None
    assert cache.stats()["disk"]["errors"] == 1
    assert raw(cache, "serde") is None
    assert cache.get_or_set("serde", lambda: {"made": "again"}) == {"made": "again"}


def test_every_bit_of_an_entry_is_verified(disk_cache: Any) -> None:
    cache = disk_cache.namespace("planted", kind=dict[str, Any])
    cache.set("serde", VALUE)
    whole = raw(cache, "serde")
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        plant(cache, "serde", bytes(changed))
        assert cache.get("serde") is None, place
    plant(cache, "serde", whole)
    assert cache.get("serde") == VALUE
