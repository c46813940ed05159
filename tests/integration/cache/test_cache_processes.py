"""Changes reach other processes on the same disk and over Redis."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from resources.cache import CacheSettings, FactoryResult
from resources.common.settings import PROJECT
from testing.cache_server import KEY, Factory, Server, cache_settings, in_thread, open_peer, opened, until


def test_an_invalidated_tag_is_seen_by_other_processes(pair: Any) -> None:
    cache, peer, wait = pair
    cache.set("a", 1, tags=("x", "y"))
    cache.set("b", 2, tags=("y",))
    assert peer("[cache.get('a'), cache.get('b')]") == [1, 2]
    peer("cache.invalidate_tags('x')")
    assert until(lambda: cache.get("a") is None, wait)
    assert cache.get("b") == 2
    cache.invalidate_tags("y")
    assert until(lambda: peer("cache.get('b')") is None, wait)
    cache.set("a", 3, tags=("x",))
    assert until(lambda: peer("cache.get('a')") == 3, wait), "later values are shared again"


def test_a_value_that_is_set_or_deleted_is_seen_by_other_processes(pair: Any) -> None:
    cache, peer, wait = pair
    cache.set("a", 1)
    assert peer("cache.get('a')") == 1
    cache.set("a", 2)
    assert until(lambda: peer("cache.get('a')") == 2, wait)
    peer("cache.set('a', 3)")
    assert until(lambda: cache.get("a") == 3, wait)
    peer("cache.delete('a')")
    assert until(lambda: cache.get("a") is None, wait)
    assert peer("cache.get('a')") is None


def test_a_cleared_namespace_is_seen_by_other_processes(pair: Any) -> None:
    cache, peer, wait = pair
    one, two = cache.namespace("one"), cache.namespace("two")
    one.set("a", 1)
    two.set("a", 2)
    assert peer("[cache.namespace(n).get('a') for n in ('one', 'two')]") == [1, 2]
    one.clear()
    assert until(lambda: peer("[cache.namespace(n).get('a') for n in ('one', 'two')]") == [None, 2], wait)


@pytest.mark.parametrize("added", ["by the caller", "by the factory"])
def test_a_value_made_while_another_process_invalidated_its_tag_is_not_served(pair: Any, added: str) -> None:
    cache, peer, _ = pair

    def factory() -> Any:
        peer("cache.invalidate_tags('x')")
        return FactoryResult("outdated", tags=("x",)) if added == "by the factory" else "outdated"

    assert cache.get_or_set("a", factory, tags=("x",) if added == "by the caller" else ()) == "outdated"
    assert until(lambda: cache.get("a") is None)
    assert peer("cache.get('a')") is None


@pytest.mark.parametrize("moment", ["before", "after"])
def test_after_two_concurrent_sets_both_processes_have_the_same_value_or_none(pair: Any, moment: str) -> None:
    """The other process writes during the `set` of this one."""
    cache, peer, wait = pair
    local = cache.core.levels.local
    put = local.disk.put

    def put_with_concurrent_set(*arguments: Any) -> Any:
        local.disk.put = put
        found = put(*arguments) if moment == "after" else None
        peer("cache.set('a', 'theirs')")
        if wait:
            time.sleep(0.3)
        return put(*arguments) if moment == "before" else found

    cache.set("a", "first")
    assert peer("cache.get('a')") == "first"
    local.disk.put = put_with_concurrent_set
    cache.set("a", "ours")
    assert until(lambda: cache.get("a") == peer("cache.get('a')"), 2)
    assert cache.get("a") in ("theirs", "ours", None)


def test_values_of_another_version_are_not_read(pair: Any) -> None:
    cache, peer, _ = pair
    cache.namespace("crates", version=1).set("a", {"name": "serde"})
    found = peer("[cache.namespace('crates', version=v).get('a') for v in (1, 2)]")
    assert found == [{"name": "serde"}, None]


def test_one_process_calls_the_factory_for_all_that_share_a_redis(server: Server, tmp_path: Path) -> None:
    """The factory takes longer than a lease lasts without renewal."""
    began, mine = tmp_path / "began", Factory("made here")
    with (
        opened(cache_settings(tmp_path / "a", server.url)) as cache,
        open_peer(cache_settings(tmp_path / "b", server.url)) as peer,
    ):
        peer.send(f"cache.get_or_set('a', lambda: (Path({str(began)!r}).touch(), make('made there', 2.0)())[1])")
        assert until(began.exists)
        assert cache.get_or_set("a", mine) == "made there"
        assert (mine.calls, peer.answer()) == (0, "made there")


def test_another_process_takes_over_from_one_that_was_killed(server: Server, tmp_path: Path) -> None:
    began, mine = tmp_path / "began", Factory("made here")
    with (
        opened(cache_settings(tmp_path / "a", server.url)) as cache,
        open_peer(cache_settings(tmp_path / "b", server.url)) as peer,
    ):
        peer.send(f"cache.get_or_set('a', lambda: (Path({str(began)!r}).touch(), time.sleep(60)))")
        assert until(began.exists)
        thread, found = in_thread(lambda: cache.get_or_set("a", mine))
        time.sleep(0.2)
        assert mine.calls == 0, "the other process holds the lease"
        peer.kill()
        thread.join(20)
        assert found == ["made here"]


AHEAD_S = 3600


@pytest.mark.parametrize("seconds", [-AHEAD_S, AHEAD_S], ids=["behind", "ahead"])
def test_two_machines_whose_clocks_differ_agree(server: Server, tmp_path: Path, seconds: int) -> None:
    skewed = f"import time\nreal = time.time_ns\ntime.time_ns = lambda: real() + {seconds} * 10**9\n"
    with (
        opened(cache_settings(tmp_path / "a", server.url)) as cache,
        open_peer(cache_settings(tmp_path / "b", server.url), skewed) as peer,
    ):
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
        assert until(lambda: cache.get("short") is None and peer("cache.get('short')") is None, 5)


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
    good = own is not cache and own.core.levels.local.disk is not None and own.get("before") == 1
    good = good and cache.get("before") is None and [cache.get_or_set("cached", int), cache.get("cached")] == [0, None]
    own.set("by the child", 2)
    own.invalidate_tags("x")
    os._exit(0 if good and own.stats()["redis"]["errors"] == 0 else 1)
status = os.waitpid(child, 0)[1]
cache.set("after", 3)
print(status, own is cache, cache.get("before"), cache.get("by the child"), cache.get("after"), flush=True)
"""


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_forked_child_opens_its_own_levels(server: Server, tmp_path: Path) -> None:
    assert run(FORKING, str(tmp_path / "a"), server.url, KEY).split() == ["0", "True", "1", "2", "3"]


EMBEDDED = """
import sys
from pathlib import Path
from resources.cache import CacheSettings, open_cache
cache = open_cache(CacheSettings(Path(sys.argv[1]), redis_url="embedded", disk_bytes=0, timeout_s=2.0))
cache.set("a", 1)
cache.core.levels.local.memory.clear()
print(cache.get("a"), cache.stats()["redis"]["hits"], cache.core.levels.redis.url.removeprefix("unix://"))
"""


def test_the_embedded_server_ends_with_its_process(tmp_path: Path) -> None:
    value, hits, socket = run(EMBEDDED, str(tmp_path)).split()
    assert (value, hits) == ("1", "1")
    assert not Path(socket).parent.exists()


def test_caches_with_different_keys_are_separate(server: Server, tmp_path: Path) -> None:
    settings = cache_settings(tmp_path / "a", server.url, disk_bytes=0)
    other = CacheSettings(tmp_path / "b", disk_bytes=0, redis_url=server.url, key=KEY + "!", timeout_s=2.0)
    with opened(settings) as cache, opened(other) as another:
        cache.set("a", 1)
        assert another.get("a") is None
        another.clear()
        another.delete("a")
        cache.core.levels.local.memory.clear()
        assert cache.get("a") == 1


# --- the disk


def is_consistent(cache: Any) -> bool:
    """Returns whether the entries of the disk level and their order agree."""
    disk = cache.core.levels.local.disk
    with disk._env.begin() as txn:
        entries = {bytes(name): bytes(entry) for name, entry in txn.cursor(db=disk._entries)}
        order = {bytes(place): bytes(name) for place, name in txn.cursor(db=disk._order)}
    return order == {entry[:8]: name for name, entry in entries.items()}


@pytest.mark.parametrize("moment", ["before it is written", "before it is committed"])
def test_a_process_killed_during_a_write_leaves_no_partial_change(tmp_path: Path, moment: str) -> None:
    settings = cache_settings(tmp_path / "cache")
    with opened(settings) as cache, open_peer(settings) as peer:
        for number in range(10):
            cache.set(str(number), number)
        assert peer("[cache.get(str(number)) for number in range(10)]") == list(range(10))
        if moment == "before it is written":
            peer.send("local.disk.put('default@1/0', b'torn', lambda: os.kill(os.getpid(), 9))")
        else:
            peer("setattr(local.disk, '_evict', lambda _: os.kill(os.getpid(), 9))")
            peer.send("cache.set('0', 'torn')")
        assert peer.process.wait(10) == -9
        cache.core.levels.local.memory.clear()
        assert [cache.get(str(number)) for number in range(10)] == list(range(10))
        cache.set("0", "new")
        cache.delete("1")
        assert is_consistent(cache)
        with open_peer(settings) as another:
            assert another("[cache.get('0'), cache.get('1'), cache.get('2')]") == ["new", None, 2]
            another("cache.set('2', 3)")
            assert cache.get("2") == 3


def test_two_processes_that_write_to_one_disk_end_with_the_same_values(tmp_path: Path) -> None:
    settings = cache_settings(tmp_path / "cache", disk_bytes=1 << 20)
    program = """[
        (
            cache.set(str(n % 7), [{me}, n, "x" * (n % 50) * 40], tags=(str(n % 3),)),
            cache.get(str(n % 5)),
            cache.delete(str(n % 11)) if n % 4 == 0 else None,
            cache.invalidate_tags(str(n % 3)) if n % 9 == 0 else None,
            cache.get_or_set(str(n % 6), lambda: [{me}, n, "made"]),
        )
        for n in range(800)
    ] and None""".replace("\n", " ")
    with opened(settings) as cache, open_peer(settings) as peer:
        peer.send(program.replace("{me}", "1"))
        eval(program.replace("{me}", "0"), {"cache": cache})
        assert peer.answer() is None
        mine = [cache.get(str(number)) for number in range(7)]
        assert mine == peer("[cache.get(str(number)) for number in range(7)]")
        cache.core.levels.local.memory.clear()
        assert mine == [cache.get(str(number)) for number in range(7)]
        assert any(mine)
        assert is_consistent(cache)
        assert cache.stats()["disk"]["errors"] == 0


def test_a_reader_that_never_ends_fills_the_database_and_causes_only_misses(tmp_path: Path) -> None:
    """LMDB does not reuse pages that a transaction can read."""
    settings = cache_settings(tmp_path / "cache", disk_bytes=1 << 20)
    with opened(settings) as cache, open_peer(settings) as peer:
        cache.core.levels.local.disk._breaker.open_s = 0.1
        cache.set("a", "old")
        peer("globals().update(reading=local.disk._env.begin())")
        large = random.Random(0).randbytes(50_000)
        for number in range(100):
            cache.set(str(number % 5), large + str(number).encode())
        assert cache.stats()["disk"]["errors"] > 0
        cache.set("a", "new")
        cache.core.levels.local.memory.clear()
        assert cache.get("a") in (None, "new")
        assert cache.get("4") in (None, large + b"99")
        assert peer("[cache.get('a') in (None, 'new'), reading.abort()]")[0]
        assert until(lambda: cache.set("b", 1) or cache.core.levels.local.memory.clear() or cache.get("b") == 1)


def test_after_threads_set_and_delete_one_key_all_levels_agree(tmp_path: Path) -> None:
    with opened(cache_settings(tmp_path / "cache")) as cache:

        def work(me: int) -> None:
            for number in range(200):
                cache.set("a", [me, number])
                if number % 7 == me:
                    cache.delete("a")
                cache.get("a")

        threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = cache.get("a")
        cache.core.levels.local.memory.clear()
        assert cache.get("a") == found
