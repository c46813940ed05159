"""Faults of the cache's levels: each is a miss, never an error, never a wrong value and never a long wait.

Faults in random order, on two processes: tests/integration/test_cache_machine.py.
"""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resources.cache import Cache, CacheSettings, close_cache, levels, open_cache
from resources.common.settings import PROJECT
from testing.cache_server import Server, Slow, binaries, opened, peer_of, settings_of, until

VALUE = {"crate": "serde", "score": 0.9}
# who unpickles it ends
PICKLE = b"cbuiltins\nexec\n(S'import os; os._exit(77)'\ntR."
PATIENCE_S, WINDOW_S = 0.1, 60.0  # longest wait for an answer, and how long a Redis that fails is left alone
LONG_S = 0.08  # a call that takes longer has waited for it
AHEAD_S = 3600


def in_folder(tmp_path: Path, **settings: Any) -> Cache:
    cache = open_cache(CacheSettings(tmp_path / "cache", **settings))
    return cache.namespace("planted", version=2, kind=dict[str, Any])


@pytest.fixture(scope="module", params=binaries(), ids=lambda path: Path(path).name)
def any_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"), request.param).start()
    yield started
    started.kill()


@pytest.fixture
def server(any_server: Server) -> Iterator[Server]:
    """Of each kind that is installed."""
    yield any_server.renew()
    any_server.go_on()


def impatient(folder: Path, url: str) -> CacheSettings:
    return replace(settings_of(folder, url), timeout_s=PATIENCE_S, open_s=WINDOW_S)


class Watch:
    """Counts the calls that had to wait."""

    def __init__(self) -> None:
        self.long = 0

    def __call__(self, work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        with self.timing():
            return work(*arguments, **options)

    @contextmanager
    def timing(self) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.long += time.monotonic() - started > LONG_S


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
    cache = in_folder(tmp_path)
    others = cache.namespace("others", version=2, kind=dict[str, Any])
    older = cache.namespace("planted", version=1, kind=dict[str, Any])
    for one in (cache, others, older):
        one.set("serde", VALUE)
    cache.set("tokio", VALUE)
    whole = raw(cache, "serde")
    bytes_of = {
        "pickle": PICKLE,
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
    cache = in_folder(tmp_path)
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
    cache = in_folder(tmp_path, redis_url=f"unix://{tmp_path}/no.sock")
    cache.set("serde", VALUE, tags=["crate"])
    assert cache.get("serde") == VALUE
    cache._levels.memory.clear()
    assert cache.get("serde") == VALUE
    cache.invalidate_tags("crate")
    assert cache.get("serde") is None
    assert cache.get_or_set("serde", lambda: {"made": "anew"}) == {"made": "anew"}
    assert cache.stats()["redis"]["errors"] > 0


def test_a_value_too_large_for_every_level_is_given_and_not_kept(tmp_path: Path) -> None:
    cache = in_folder(tmp_path, memory_bytes=1 << 20, disk_bytes=1 << 20).namespace("large", kind=bytes)
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


# --- Redis


def use(cache: Any, watch: Watch, part: str, times: int = 10) -> None:
    """Calls of every kind, and what they must bring whether there is a Redis or not."""
    for number in range(times):
        key, tags = f"{part} {number}", (f"{part} tag {number}",)
        assert watch(cache.get, key) is None
        watch(cache.set, key, number, tags=tags)
        assert watch(cache.get, key) == number
        watch(cache.invalidate_tags, *tags)
        assert watch(cache.get, key) is None
        assert watch(cache.get_or_set, key, int, tags=tags) == 0
        assert watch(cache.get, key) == 0
        watch(cache.delete, key)
        assert watch(cache.get, key) is None


@pytest.mark.parametrize("fault", ["down", "hung", "slow", "late"])
def test_a_redis_that_fails_costs_two_waits_in_each_window(server: Server, tmp_path: Path, fault: str) -> None:
    """ "late": within the time that is waited, but not as a Redis should."""
    with Slow(server) as slow, opened(impatient(tmp_path / "a", slow.url)) as cache:
        assert until(lambda: cache._levels.view.contact > 0)
        cache.set("hit", 1)
        assert cache._levels.redis.breaker.opened == 0
        watch = Watch()
        if fault == "down":
            server.kill()
        elif fault == "hung":
            server.hang()
        else:
            slow.delay_s = 1.0 if fault == "slow" else PATIENCE_S * 0.7
        use(cache, watch, "failing")
        assert cache._levels.redis.breaker.opened == 1
        assert watch.long <= 3, "two, and one for the machine"
        started = time.monotonic()
        for _ in range(1000):
            assert cache.get("hit") == 1
        assert time.monotonic() - started < 1.0, "hits in memory do not notice"
        cache._levels.memory.clear()
        assert cache.get("hit") == 1, "nor those on the disk"


def test_a_hung_redis_costs_a_crowd_no_more_than_one(server: Server, tmp_path: Path) -> None:
    with opened(impatient(tmp_path / "a", server.url)) as cache:
        cache.get("warm up")
        server.hang()
        found: list[float] = []

        def work(number: int) -> None:
            started = time.monotonic()
            assert cache.get(str(number)) is None
            found.append(time.monotonic() - started)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 100
        assert max(found) < 2.0, "they do not wait one after the other"
        assert cache._levels.redis.breaker.opened >= 1


def test_a_hung_redis_costs_tasks_two_waits_and_does_not_block_their_loop(server: Server, tmp_path: Path) -> None:
    with opened(impatient(tmp_path / "a", server.url)) as cache:

        async def work() -> tuple[int, int]:
            own, watch, ticks = cache.asynchronous(), Watch(), 0
            await own.set("warm up", 1)

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.005)
                    ticks += 1

            ticking = asyncio.create_task(tick())
            server.hang()
            with watch.timing():
                assert await own.get("first") is None
            during = ticks
            for number in range(20):
                with watch.timing():
                    assert await own.get_or_set(str(number), lambda number=number: number) == number
            ticking.cancel()
            await own.close()
            return watch.long, during

        long, ticks = asyncio.run(work())
        assert long <= 3
        assert ticks >= 3


def test_a_redis_that_dies_in_the_middle_leaves_no_value_that_was_over(server: Server, tmp_path: Path) -> None:
    """It comes back empty; what was invalidated meanwhile stays so in both."""
    with (
        opened(settings_of(tmp_path / "a", server.url)) as cache,
        peer_of(settings_of(tmp_path / "b", server.url)) as peer,
    ):
        for key in "abc":
            cache.set(key, 1, tags=(f"tag {key}",))
        assert peer("[cache.get(key) for key in 'abc']") == [1, 1, 1]
        server.kill()
        assert [cache.get(key) for key in "abc"] == [1, 1, 1], "what was known to hold is given for a while"
        cache.invalidate_tags("tag a")
        cache.delete("b")
        cache.set("c", 2)
        assert [cache.get(key) for key in "abc"] == [None, None, 2]
        server.start()
        assert until(lambda: peer("[cache.get(key) for key in 'abc']")[:2] == [None, None])
        assert until(lambda: peer("cache.get('c')") in (None, 2))
        assert [cache.get("a"), cache.get("b")] == [None, None]
        assert cache.get("c") in (None, 2)
        assert until(lambda: cache.set("d", 3, tags=("tag a",)) or peer("cache.get('d')") == 3), "they meet again"


@pytest.mark.parametrize("idle", [True, False], ids=["and is not used again", "and is used again"])
def test_what_was_dropped_while_redis_was_hung_is_said_when_it_goes_on(
    server: Server, tmp_path: Path, idle: bool
) -> None:
    with (
        opened(replace(settings_of(tmp_path / "a", server.url), timeout_s=PATIENCE_S)) as cache,
        peer_of(settings_of(tmp_path / "b", server.url)) as peer,
    ):
        for key in "abc":
            cache.set(key, 1, tags=(f"tag {key}",))
        assert peer("[cache.get(key) for key in 'abc']") == [1, 1, 1]
        server.hang()
        cache.invalidate_tags("tag a")
        cache.delete("b")
        cache.set("c", 2)
        server.go_on()
        if not idle:
            assert [cache.get(key) for key in "abc"] == [None, None, 2]
        assert until(lambda: peer("[cache.get(key) for key in 'ab']") == [None, None])
        assert until(lambda: peer("cache.get('c')") in (None, 2))
        # and both have the same version of the tag again
        assert until(lambda: cache.set("d", 3, tags=("tag a",)) or peer("cache.get('d')") == 3)


def test_a_flushed_redis_empties_what_is_near(server: Server, tmp_path: Path) -> None:
    """Tags went with it, so nobody can say of an entry that it still holds."""
    with (
        opened(settings_of(tmp_path / "a", server.url)) as cache,
        peer_of(settings_of(tmp_path / "b", server.url)) as peer,
    ):
        cache.set("a", 1, tags=("x",))
        assert peer("cache.get('a')") == 1
        server.client().flushall()
        assert until(lambda: cache.get("a") is None and peer("cache.get('a')") is None)
        cache.set("a", 2, tags=("x",))
        assert until(lambda: peer("cache.get('a')") == 2)
        peer("cache.invalidate_tags('x')")
        assert until(lambda: cache.get("a") is None)


def test_a_disk_that_slept_through_a_change_does_not_give_what_was_over(server: Server, tmp_path: Path) -> None:
    """Its place in the stream tells it what it missed, and that it missed too much."""
    settings = settings_of(tmp_path / "a", server.url)
    with peer_of(settings_of(tmp_path / "b", server.url)) as peer:
        with opened(settings) as cache:
            for key in "abc":
                cache.set(key, 1, tags=(f"tag {key}",))
        peer("[cache.invalidate_tags('tag a'), cache.delete('b')]")
        with opened(settings) as cache:
            server.hang()  # the disk alone has to know
            assert [cache.get(key) for key in "abc"] == [None, None, 1]
            server.go_on()
        peer("cache.delete('c')")
        server.client().xtrim(server.keys("changes")[0], maxlen=0)
        peer("cache.delete('another')")
        with opened(settings) as cache:
            assert cache.get("c") is None


@pytest.fixture
def full(server: Server) -> Iterator[Server]:
    """Takes nothing in any more, once `fill` was called."""
    yield server
    server.client().config_set("maxmemory", "64mb")
    server.client().config_set("maxmemory-policy", "volatile-lru")


def fill(server: Server) -> None:
    server.client().config_set("maxmemory-policy", "noeviction")
    server.client().config_set("maxmemory", "1")


def test_a_redis_out_of_memory_gives_nothing_old(full: Server, tmp_path: Path) -> None:
    with (
        opened(settings_of(tmp_path / "a", full.url)) as cache,
        peer_of(settings_of(tmp_path / "b", full.url)) as peer,
    ):
        for key in "abc":
            cache.set(key, 1, tags=(f"tag {key}",))
        fill(full)
        watch = Watch()
        use(cache, watch, "full")
        assert watch.long <= 3
        cache.set("a", 2)
        cache.delete("b")
        cache.invalidate_tags("tag c")
        assert [cache.get(key) for key in "abc"] == [2, None, None]
        full.client().config_set("maxmemory", "64mb")
        assert until(lambda: peer("[cache.get(key) for key in 'bc']") == [None, None])
        assert until(lambda: cache.set("d", 3) or peer("cache.get('d')") == 3)


def test_where_nobody_can_tell_of_changes_nothing_is_trusted_for_long(
    full: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis answers, but takes in no word of what was dropped."""
    monkeypatch.setattr(levels, "TRUST_S", 0.5)
    with (
        opened(settings_of(tmp_path / "a", full.url)) as cache,
        peer_of(settings_of(tmp_path / "b", full.url)) as peer,
    ):
        cache.set("a", 1, tags=("x",))
        assert peer("cache.get('a')") == 1
        fill(full)
        peer("cache.invalidate_tags('x')")
        assert until(lambda: cache.get("a") is None)


def test_after_a_while_without_redis_only_what_cannot_change_is_given(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(levels, "TRUST_S", 0.5)
    with opened(settings_of(tmp_path / "a", server.url)) as cache:
        hashes = cache.namespace("hashes", immutable=True)
        cache.set("a", 1)
        hashes.set("a", 2)
        server.kill()
        assert until(lambda: cache.get("a") is None)
        cache._levels.memory.clear()
        assert [cache.get("a"), hashes.get("a")] == [None, 2]
        assert cache.get_or_set("a", lambda: 3) == 3


def test_a_short_stop_of_redis_does_not_part_two_processes(server: Server, tmp_path: Path) -> None:
    """While it could not be asked, one has given a tag a version of its own; its clock is ahead."""
    ahead = f"import time\nreal = time.time_ns\ntime.time_ns = lambda: real() + {AHEAD_S} * 10**9\n"
    with (
        opened(settings_of(tmp_path / "a", server.url)) as cache,
        peer_of(impatient(tmp_path / "b", server.url), ahead) as peer,
    ):
        peer("[cache.get('warm up'), setattr(levels.redis.breaker, 'open_s', 0.1)]")
        server.hang()
        assert peer("cache.get_or_set('a', make(1), tags=('new',))") == 1
        server.go_on()
        assert until(lambda: peer("cache.get('b')") or not peer("levels.redis.breaker.is_open"))
        assert cache.get_or_set("b", lambda: 1, tags=("new",)) == 1
        cache.invalidate_tags("new")
        assert until(lambda: peer("cache.get('a')") is None)
        assert until(lambda: cache.set("b", 2, tags=("new",)) or peer("cache.get('b')") == 2)


@pytest.mark.parametrize("what", ["pickle", "truncated", "empty", "bit", "key", "namespace", "schema", "disk's"])
def test_what_was_planted_in_redis_is_a_miss_and_is_deleted(server: Server, tmp_path: Path, what: str) -> None:
    with opened(settings_of(tmp_path / "a", server.url)) as base:
        cache = base.namespace("planted", version=2, kind=dict[str, Any])
        for one in (cache, base.namespace("others", version=2), base.namespace("planted", version=1)):
            one.set("serde", VALUE)
        cache.set("tokio", VALUE)
        client = server.client()

        def stored(key: str) -> bytes:
            found = client.get(server.keys(f":e:{key}")[0])
            assert isinstance(found, bytes)
            return found

        whole = stored("planted@2/serde")
        bytes_of = {
            "pickle": PICKLE,
            "truncated": whole[:-1],
            "empty": b"",
            "bit": bytes([*whole[:-30], whole[-30] ^ 1, *whole[-29:]]),
            "key": stored("planted@2/tokio"),
            "namespace": stored("others@2/serde"),
            "schema": stored("planted@1/serde"),
            "disk's": raw(cache, "serde"),
        }
        client.set(server.keys(":e:planted@2/serde")[0], bytes_of[what], keepttl=True)
        cache._levels.memory.clear()
        cache._levels.disk.delete("planted@2/serde")
        errors = cache.stats()["redis"]["errors"]
        assert cache.get("serde") is None
        assert cache.stats()["redis"]["errors"] == errors + 1
        assert server.keys(":e:planted@2/serde") == []
        assert cache.get_or_set("serde", lambda: {"made": "anew"}) == {"made": "anew"}


def test_nonsense_in_the_stream_of_changes_is_passed_over(server: Server, tmp_path: Path) -> None:
    with (
        opened(settings_of(tmp_path / "a", server.url)) as cache,
        peer_of(settings_of(tmp_path / "b", server.url)) as peer,
    ):
        cache.set("a", 1)
        assert peer("cache.get('a')") == 1
        stream = server.keys("changes")[0]
        server.client().xadd(stream, {"other": b"1"})
        for message in (b"", b"\xff\0k", b"x\0t\0tag\0-1", b"\0" * 9000, b"x\0t\0tag\0" + b"9" * 5000):
            server.client().xadd(stream, {"m": message})
        peer("cache.delete('a')")
        assert until(lambda: cache.get("a") is None)


# --- the disk


FULL_DISK = """
import random, resource, sys
from pathlib import Path
from resources.cache import CacheSettings, open_cache
from resources.cache.opening import close_cache
folder, limit = Path(sys.argv[1]), sys.argv[2]
settings = CacheSettings(folder, memory_bytes=1 << 20, disk_bytes=16 << 20, key="a key of the tests alone")
cache = open_cache(settings)
chance = random.Random(0)
last = {}
def write(size):
    key = str(chance.randrange(20))
    last[key] = chance.randbytes(size)
    cache.set(key, last[key], tags=("all",))
def check():
    found = 0
    for key, value in last.items():
        cache._levels.memory.clear()
        got = cache.get(key)
        assert got in (None, value), key
        found += got is not None
    return found
for _ in range(40):
    write(chance.randrange(5000))
assert check() == len(last)
before = resource.getrlimit(resource.RLIMIT_FSIZE)
size = (folder / "disk/data.mdb").stat().st_size if limit == "as large as it is" else 2 * 4096
resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
for _ in range(100):
    write(chance.randrange(100_000))
    if chance.random() < 0.2:
        key = chance.choice(list(last))
        cache.delete(key)
        last[key] = None
    check()
assert cache.stats()["disk"]["errors"] > 0
cache.invalidate_tags("all")
last = dict.fromkeys(last)
assert check() == 0
assert cache.get_or_set("made", lambda: b"made") == b"made"
print("full", flush=True)
sys.stdin.readline()
resource.setrlimit(resource.RLIMIT_FSIZE, before)
cache._levels.disk_breaker.succeeded(0.0)
check()
for _ in range(40):
    write(chance.randrange(5000))
assert check() == sum(value is not None for value in last.values()), "there is room again"
close_cache(settings)
"""


@pytest.mark.parametrize("limit", ["as large as it is", "not a page more"])
def test_a_full_disk_costs_hits_and_gives_nothing_old(tmp_path: Path, limit: str) -> None:
    """`RLIMIT_FSIZE` refuses the bytes, as a full disk does; with the second limit not even a drop can be written."""
    folder = tmp_path / "cache"
    child = subprocess.Popen(
        [sys.executable, "-c", FULL_DISK, str(folder), limit],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    told = child.stdout.readline()
    if told == "full\n":
        # another process, which may write, does not give what the first could not drop
        with peer_of(replace(settings_of(folder), memory_bytes=1 << 20)) as peer:
            assert peer("[cache.get(str(number)) for number in range(20)]") == [None] * 20
    _, errors = child.communicate("\n", timeout=60)
    assert (told, child.returncode) == ("full\n", 0), errors


def test_a_reader_that_never_ends_fills_the_map_and_no_more(tmp_path: Path) -> None:
    """Pages that somebody reads are not used again, so the map is full: a miss."""
    settings = settings_of(tmp_path / "cache", disk_bytes=1 << 20)
    with opened(settings) as cache, peer_of(settings) as peer:
        cache._levels.disk_breaker.open_s = 0.1
        cache.set("a", "old")
        peer("globals().update(reading=levels.disk._env.begin())")
        for number in range(100):
            cache.set(str(number % 5), bytes(range(256)) * 200 + str(number).encode())
        assert cache.stats()["disk"]["errors"] > 0
        cache.set("a", "new")
        cache._levels.memory.clear()
        assert cache.get("a") in (None, "new")
        assert cache.get("4") in (None, bytes(range(256)) * 200 + b"99")
        assert peer("[cache.get('a') in (None, 'new'), reading.abort()]")[0]
        assert until(lambda: cache.set("b", 1) or cache._levels.memory.clear() or cache.get("b") == 1)


def whole(cache: Any) -> bool:
    """Whether the disk level's parts agree with each other."""
    disk = cache._levels.disk
    with disk._env.begin() as txn:
        entries = {bytes(name): bytes(entry) for name, entry in txn.cursor(db=disk._entries)}
        order = {bytes(place): bytes(name) for place, name in txn.cursor(db=disk._order)}
    return order == {entry[:8]: name for name, entry in entries.items()} and disk.sizes()["entries"] == len(entries)


@pytest.mark.parametrize("moment", ["before it is written", "before it is committed"])
def test_a_process_killed_in_the_middle_of_a_write_leaves_nothing_torn(tmp_path: Path, moment: str) -> None:
    """It holds the writers' lock, which passes on."""
    settings = settings_of(tmp_path / "cache")
    with opened(settings) as cache, peer_of(settings) as peer:
        for number in range(10):
            cache.set(str(number), number)
        assert peer("[cache.get(str(number)) for number in range(10)]") == list(range(10))
        if moment == "before it is written":
            peer.tell("levels.disk.put('default@1/0', b'torn', lambda: os.kill(os.getpid(), 9), True)")
        else:
            peer("setattr(levels.disk.counter, 'announce', lambda _: os.kill(os.getpid(), 9))")
            peer.tell("cache.delete('0')")
        assert peer.process.wait(10) == -9
        assert [cache.get(str(number)) for number in range(10)] == list(range(10))
        cache.set("0", "new")
        cache.delete("1")
        cache._levels.memory.clear()
        assert [cache.get("0"), cache.get("1"), cache.get("2")] == ["new", None, 2]
        assert whole(cache)
        with peer_of(settings) as another:
            assert another("[cache.get('0'), cache.get('1'), cache.get('2')]") == ["new", None, 2]
            another("cache.set('2', 3)")
            assert cache.get("2") == 3


def test_two_processes_at_work_on_one_disk_end_with_the_same(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "cache", disk_bytes=1 << 20)
    program = """[
        (
            cache.set(str(n % 7), [{me}, n, "x" * (n % 50) * 40], tags=(str(n % 3),)),
            cache.get(str(n % 5)),
            cache.delete(str(n % 11)) if n % 4 == 0 else None,
            cache.invalidate_tags(str(n % 3)) if n % 9 == 0 else None,
            cache.get_or_set(str(n % 6), lambda: [{me}, n, "made"]),
        )
        for n in range(1500)
    ] and None""".replace("\n", " ")
    with opened(settings) as cache, peer_of(settings) as peer:
        peer.tell(program.replace("{me}", "1"))
        eval(program.replace("{me}", "0"), {"cache": cache})
        assert peer.answer() is None
        mine = [cache.get(str(number)) for number in range(7)]
        assert mine == peer("[cache.get(str(number)) for number in range(7)]")
        cache._levels.memory.clear()
        assert mine == [cache.get(str(number)) for number in range(7)]
        assert any(mine)
        assert whole(cache)
        assert cache.stats()["disk"]["errors"] == 0


@pytest.mark.parametrize("wrong", ["garbage", "cut", "a folder"])
def test_a_disk_level_that_cannot_be_opened_is_left_out(
    tmp_path: Path, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(tmp_path / "cache")
    with opened(settings) as cache:
        cache.set("a", 1)
    data = tmp_path / "cache/disk/data.mdb"
    if wrong == "garbage":
        data.write_bytes(b"garbage!" * 4096)
    elif wrong == "cut":
        data.write_bytes(data.read_bytes()[:8192])
    else:
        data.unlink()
        data.mkdir()
    with opened(settings) as cache:
        assert cache._levels.disk is None
        cache.set("a", 2)
        assert cache.get("a") == 2
    assert "without its disk level" in caplog.text


# --- clocks


@pytest.fixture(params=[-AHEAD_S, AHEAD_S], ids=["behind", "ahead"])
def skewed(request: pytest.FixtureRequest) -> str:
    """What makes the clock of a process wrong."""
    return f"import time\nreal = time.time_ns\ntime.time_ns = lambda: real() + {request.param} * 10**9\n"


@pytest.mark.parametrize("shared", ["a disk", "a Redis", "both"])
def test_processes_whose_clocks_differ_agree(server: Server, tmp_path: Path, shared: str, skewed: str) -> None:
    url = "" if shared == "a disk" else server.url
    other = tmp_path / ("b" if shared == "a Redis" else "a")
    with opened(settings_of(tmp_path / "a", url)) as cache, peer_of(settings_of(other, url), skewed) as peer:
        for key in "abcd":
            cache.set(key, 1, tags=(f"tag {key}",))
        assert peer("[cache.get(key) for key in 'abcd']") == [1, 1, 1, 1]
        peer("[cache.invalidate_tags('tag a'), cache.delete('b')]")
        assert until(lambda: [cache.get("a"), cache.get("b")] == [None, None])
        cache.invalidate_tags("tag c")
        assert until(lambda: peer("[cache.get(key) for key in 'abcd']") == [None, None, None, 1])
        for key in "abc":
            cache.set(key, 2, tags=(f"tag {key}",))
        assert until(lambda: peer("[cache.get(key) for key in 'abc']") == [2, 2, 2])
        peer("cache.set('short', 3, ttl=0.5, jitter=0.0)")
        ends = time.monotonic() + 0.5
        assert cache.get("short") == 3 or time.monotonic() > ends
        time.sleep(max(0.0, ends + 0.05 - time.monotonic()))
        assert [cache.get("short"), peer("cache.get('short')")] == [None, None]


def test_with_redis_away_a_process_whose_clock_differs_is_heard_on_its_disk(
    server: Server, tmp_path: Path, skewed: str
) -> None:
    """It has never asked Redis for the tag, so its version is of its own clock."""
    with (
        opened(settings_of(tmp_path / "a", server.url)) as cache,
        peer_of(settings_of(tmp_path / "a", server.url), skewed) as peer,
    ):
        cache.set("a", 1, tags=("x",))
        assert cache.get("a") == 1
        server.kill()
        peer("cache.invalidate_tags('x')")
        assert cache.get("a") is None
        cache._levels.memory.clear()
        assert cache.get("a") is None
