"""A level that fails causes misses, but no error, outdated value or long wait.

test_cache_machine.py has faults in random order on two processes.
"""

import asyncio
import random
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

from resources.cache import CacheSettings, entry
from resources.common.settings import PROJECT
from testing.cache_server import Server, SlowProxy, cache_settings, clear_memory, open_peer, opened, until
from testing.certificates import certified

TIMEOUT_S, WINDOW_S = 0.1, 60.0  # timeout of an answer, and how long Redis is not used after it failed
LONG_S = 0.08  # a longer call has waited for Redis
VALUE = {"crate": "serde", "score": 0.9}


def impatient(folder: Path, url: str) -> CacheSettings:
    return replace(cache_settings(folder, url), timeout_s=TIMEOUT_S, open_s=WINDOW_S)


class Stopwatch:
    """Counts the calls that took longer than LONG_S."""

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


def use(cache: Any, timed: Stopwatch, part: str, times: int = 10) -> None:
    """Calls every method, whose results do not depend on Redis."""
    for number in range(times):
        key, tags = f"{part} {number}", (f"{part} tag {number}",)
        assert timed(cache.get, key) is None
        timed(cache.set, key, number, tags=tags)
        assert timed(cache.get, key) == number
        timed(cache.invalidate_tags, *tags)
        assert timed(cache.get, key) is None
        assert timed(cache.get_or_set, key, int, tags=tags) == 0
        assert timed(cache.get, key) == 0
        timed(cache.delete, key)
        assert timed(cache.get, key) is None


# --- Redis is unreachable


def test_without_redis_at_the_start_values_are_cached_on_disk(tmp_path: Path) -> None:
    with opened(cache_settings(tmp_path / "cache", f"unix://{tmp_path}/no.sock")) as cache:
        use(cache, Stopwatch(), "down")
        cache.set("serde", VALUE, tags=["crate"])
        clear_memory(cache)
        assert cache.get("serde") == VALUE, "the disk has it"
        assert cache.stats()["redis"]["errors"] > 0


@pytest.mark.parametrize("fault", ["down", "hung", "slow", "late"])
def test_a_failing_redis_costs_at_most_two_timeouts_in_each_window(server: Server, tmp_path: Path, fault: str) -> None:
    """In the case "late" Redis answers within the timeout, but slowly."""
    with SlowProxy(server) as slow, opened(impatient(tmp_path / "a", slow.url)) as cache:
        cache.set("hit", 1)
        assert cache.stats()["redis"]["errors"] == 0
        if fault == "down":
            server.kill()
        elif fault == "hung":
            server.hang()
        else:
            slow.delay_s = 1.0 if fault == "slow" else TIMEOUT_S * 0.7
        timed = Stopwatch()
        use(cache, timed, "failing")
        assert timed.long <= 3, "two, and one because the machine may be busy"
        started = time.monotonic()
        for _ in range(1000):
            assert cache.get("hit") == 1
        assert time.monotonic() - started < 1.0, "hits in memory are as fast as before"
        clear_memory(cache)
        assert cache.get("hit") == 1, "hits on the disk still work"


def test_a_hung_redis_delays_a_hundred_callers_no_longer_than_one(server: Server, tmp_path: Path) -> None:
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


def test_a_hung_redis_does_not_block_the_event_loop(server: Server, tmp_path: Path) -> None:
    with opened(impatient(tmp_path / "a", server.url)) as cache:

        async def work() -> tuple[int, int]:
            own, timed, ticks = cache.asynchronous(), Stopwatch(), 0
            await own.set("warm up", 1)

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.005)
                    ticks += 1

            ticking = asyncio.create_task(tick())
            server.hang()
            with timed.timing():
                assert await own.get("first") is None
            during = ticks
            for number in range(20):
                with timed.timing():
                    assert await own.get_or_set(str(number), lambda number=number: number) == number
            ticking.cancel()
            await own.close()
            return timed.long, during

        long, ticks = asyncio.run(work())
        assert long <= 3
        assert ticks >= 3


def test_no_outdated_value_returns_after_redis_restarted_empty(server: Server, tmp_path: Path) -> None:
    with (
        opened(cache_settings(tmp_path / "a", server.url)) as cache,
        open_peer(cache_settings(tmp_path / "b", server.url)) as peer,
    ):
        for key in "abc":
            cache.set(key, 1, tags=(f"tag {key}",))
        assert peer("[cache.get(key) for key in 'abc']") == [1, 1, 1]
        server.kill()
        assert [cache.get(key) for key in "abc"] == [1, 1, 1], "values checked within TRUST_S are served"
        cache.invalidate_tags("tag a")
        cache.delete("b")
        cache.set("c", 2)
        assert [cache.get(key) for key in "abc"] == [None, None, 2]
        server.start()
        assert until(lambda: peer("[cache.get(key) for key in 'ab']") == [None, None])
        assert until(lambda: peer("cache.get('c')") in (None, 2))
        assert [cache.get("a"), cache.get("b")] == [None, None]
        assert cache.get("c") in (None, 2)
        assert until(lambda: cache.set("d", 3, tags=("tag a",)) or peer("cache.get('d')") == 3), "they agree again"


@pytest.mark.parametrize("idle", [True, False], ids=["and is not used again", "and is used again"])
def test_changes_that_a_hung_redis_missed_are_replayed(server: Server, tmp_path: Path, idle: bool) -> None:
    with (
        opened(replace(cache_settings(tmp_path / "a", server.url), timeout_s=TIMEOUT_S)) as cache,
        open_peer(cache_settings(tmp_path / "b", server.url)) as peer,
    ):
        for key in "abc":
            cache.set(key, 1, tags=(f"tag {key}",))
        assert peer("[cache.get(key) for key in 'abc']") == [1, 1, 1]
        server.hang()
        cache.invalidate_tags("tag a")
        cache.delete("b")
        cache.set("c", 2)
        server.resume()
        if not idle:
            assert [cache.get(key) for key in "ab"] == [None, None]
        assert until(lambda: peer("[cache.get(key) for key in 'ab']") == [None, None])
        assert until(lambda: peer("cache.get('c')") in (None, 2))
        assert until(lambda: cache.set("d", 3, tags=("tag a",)) or peer("cache.get('d')") == 3), "they agree again"


def test_processes_of_one_disk_do_not_read_redis_after_it_missed_a_change(server: Server, tmp_path: Path) -> None:
    settings = replace(cache_settings(tmp_path / "a", server.url), timeout_s=TIMEOUT_S)
    with opened(settings) as cache, open_peer(settings) as peer:
        cache.set("a", 1, tags=("x",))
        cache.set("b", 1)
        assert peer("[cache.get('a'), cache.get('b')]") == [1, 1]
        server.hang()
        cache.invalidate_tags("x")
        cache.delete("b")
        server.resume()
        assert peer("[cache.get('a'), cache.get('b')]") == [None, None]
        assert [cache.get("a"), cache.get("b")] == [None, None]


def test_after_a_flush_two_processes_agree_again(server: Server, tmp_path: Path) -> None:
    with (
        opened(cache_settings(tmp_path / "a", server.url)) as cache,
        open_peer(cache_settings(tmp_path / "b", server.url)) as peer,
    ):
        cache.set("a", 1, tags=("x",))
        assert peer("cache.get('a')") == 1
        time.sleep(0.6)  # both have sent a heartbeat
        server.client().flushall()
        assert until(lambda: cache.get("a") is None and peer("cache.get('a')") is None)
        cache.set("a", 2, tags=("x",))
        assert until(lambda: peer("cache.get('a')") == 2)
        peer("cache.invalidate_tags('x')")
        assert until(lambda: cache.get("a") is None)


def test_a_machine_that_was_off_does_not_serve_values_changed_meanwhile(server: Server, tmp_path: Path) -> None:
    settings = cache_settings(tmp_path / "a", server.url)
    with open_peer(cache_settings(tmp_path / "b", server.url)) as peer:
        with opened(settings) as cache:
            for key in "abc":
                cache.set(key, 1, tags=(f"tag {key}",))
        peer("[cache.invalidate_tags('tag a'), cache.delete('b')]")
        with opened(settings) as cache:
            assert [cache.get(key) for key in "abc"] == [None, None, 1]


def test_without_redis_mutable_values_are_served_for_a_minute_and_immutable_ones_for_their_ttl(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "TRUST_S", 0.5)
    with opened(cache_settings(tmp_path / "a", server.url)) as cache:
        hashes = cache.namespace("hashes", immutable=True)
        cache.set("a", 1)
        hashes.set("a", 2)
        server.kill()
        assert cache.get("a") == 1
        assert until(lambda: cache.get("a") is None, 5)
        clear_memory(cache)
        assert [cache.get("a"), hashes.get("a")] == [None, 2]


def test_an_immutable_value_is_served_from_disk_by_a_process_that_never_reached_redis(
    server: Server, tmp_path: Path
) -> None:
    settings = cache_settings(tmp_path / "a", server.url)
    with opened(settings) as cache:
        cache.namespace("hashes", immutable=True).set("a", 1)
        cache.set("a", 2)
    server.kill()
    with opened(settings) as cache:
        hashes = cache.namespace("hashes", immutable=True)
        assert [hashes.get("a"), cache.get("a")] == [1, None]
        hashes.clear()
        assert hashes.get("a") is None


# --- Redis refuses


@pytest.fixture
def full(server: Server) -> Iterator[Server]:
    """A server that is out of memory after `fill` was called."""
    yield server
    server.client().config_set("maxmemory", "64mb")
    server.client().config_set("maxmemory-policy", "volatile-lru")


def fill(server: Server) -> None:
    server.client().config_set("maxmemory-policy", "noeviction")
    server.client().config_set("maxmemory", "1")


def test_a_redis_out_of_memory_serves_no_outdated_value(full: Server, tmp_path: Path) -> None:
    with (
        opened(cache_settings(tmp_path / "a", full.url)) as cache,
        open_peer(cache_settings(tmp_path / "b", full.url)) as peer,
    ):
        for key in "abc":
            cache.set(key, 1, tags=(f"tag {key}",))
        fill(full)
        timed = Stopwatch()
        use(cache, timed, "full")
        assert timed.long <= 3
        cache.set("a", 2)
        cache.delete("b")
        cache.invalidate_tags("tag c")
        assert [cache.get(key) for key in "abc"] == [2, None, None]
        full.client().config_set("maxmemory", "64mb")
        assert until(lambda: peer("[cache.get(key) for key in 'bc']") == [None, None])
        assert until(lambda: cache.set("d", 3) or peer("cache.get('d')") == 3)


def refuse(server: Server, how: str) -> Callable[[], Any]:
    """Makes the server refuse commands; returns a function that ends this."""
    client = server.client()
    if how == "OOM":
        fill(server)
        return lambda: client.config_set("maxmemory", "64mb") and client.config_set("maxmemory-policy", "volatile-lru")
    if how == "READONLY":
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        return lambda: client.execute_command("REPLICAOF", "NO", "ONE")
    if how == "NOPERM":
        client.execute_command("ACL", "SETUSER", "default", "-evalsha", "-eval")
        return lambda: client.execute_command("ACL", "SETUSER", "default", "+@all")
    if how == "max number of clients":
        client.ping()
        client.config_set("maxclients", "1")
        return lambda: client.config_set("maxclients", "1000")
    client.config_set("requirepass", "secret")
    return lambda: client.execute_command("AUTH", "secret") and client.config_set("requirepass", "")


@pytest.mark.parametrize("how", ["NOAUTH", "WRONGPASS", "OOM", "READONLY", "NOPERM", "max number of clients"])
def test_refusals_of_redis_are_logged_with_its_own_message(
    valkey: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    end = refuse(valkey.reset(), how)
    try:
        url = f"{valkey.url}?username=default&password=guessed" if how == "WRONGPASS" else valkey.url
        with opened(replace(cache_settings(tmp_path / "a", url, disk_bytes=0), timeout_s=0.5)) as cache:
            use(cache, Stopwatch(), "refused", times=2)
            assert until(
                lambda: (
                    f"it refuses the command: {how}" in caplog.text
                    or f"it refuses the command: ERR {how}" in caplog.text
                ),
                5,
            )
        # a server with too many clients closes the connection, and its message may be lost the first times
        assert "cannot be reached" not in caplog.text or how == "max number of clients"
        assert "guessed" not in caplog.text
        assert caplog.text.count("it refuses") <= 4, "each reason is logged once"
    finally:
        end()


def test_a_redis_that_answers_is_not_logged_as_unreachable(server: Server, tmp_path: Path) -> None:
    """The process has not imported redis-py before, which takes longer than the timeout."""
    script = (
        "import sys, logging; from pathlib import Path; from resources.cache import CacheSettings, open_cache;"
        "logging.basicConfig(level=logging.WARNING);"
        "open_cache(CacheSettings(Path(sys.argv[1]), redis_url=sys.argv[2], timeout_s=0.15))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "cache"), server.url]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


# --- connections


@pytest.mark.parametrize("option", ["protocol=3", "decode_responses=1", "socket_timeout=60"])
def test_options_in_the_url_do_not_change_the_protocol_or_the_timeout(
    valkey: Server, tmp_path: Path, option: str
) -> None:
    settings = cache_settings(tmp_path / "cache", f"{valkey.reset().url}?{option}", disk_bytes=0)
    with opened(replace(settings, timeout_s=0.5)) as cache:
        cache.set("a", 1)
        clear_memory(cache)
        assert cache.get("a") == 1
        valkey.hang()
        started = time.monotonic()
        clear_memory(cache)
        assert cache.get("a") is None
        assert time.monotonic() - started < 10.0
        valkey.resume()


def test_a_connection_closed_while_idle_causes_no_miss(valkey: Server, tmp_path: Path) -> None:
    with opened(cache_settings(tmp_path / "cache", valkey.reset().url, disk_bytes=0)) as cache:
        threads = [threading.Thread(target=cache.set, args=(str(number), number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with valkey.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        clear_memory(cache)
        assert [cache.get(str(number)) for number in range(8)] == list(range(8))
        assert cache.stats()["redis"]["errors"] == 0


def test_a_lease_is_taken_although_the_first_answer_was_lost(valkey: Server, tmp_path: Path) -> None:
    with opened(cache_settings(tmp_path / "cache", valkey.reset().url, disk_bytes=0)) as cache:
        client = cache.core.levels.redis.client
        execute = client.execute

        async def twice(*command: Any) -> Any:
            await execute(*command)
            return await execute(*command)

        client.execute = twice
        started = time.monotonic()
        assert cache.get_or_set("a", lambda: 1) == 1
        assert time.monotonic() - started < 1.0, "less than the lifetime of a lease"


def test_malformed_messages_are_ignored(valkey: Server, tmp_path: Path) -> None:
    with (
        opened(cache_settings(tmp_path / "cache", valkey.reset().url)) as cache,
        open_peer(cache_settings(tmp_path / "b", valkey.url)) as peer,
    ):
        cache.set("a", 1)
        assert peer("cache.get('a')") == 1
        for message in (b"", b"\xff\0k", b"t\0-1\0tag", b"\0" * 9000, b"t\0" + b"9" * 5000 + b"\0tag", b"k\0\0"):
            valkey.client().publish(cache.core.levels.redis.channel, message)
        peer("cache.set('a', 2)")
        assert until(lambda: cache.get("a") == 2)
        assert cache.stats()["redis"]["errors"] == 0


def test_redis_evicts_entries_and_never_tags(tmp_path: Path) -> None:
    server = Server(tmp_path, maxmemory="8mb").start()
    try:
        with opened(cache_settings(tmp_path / "a", server.url, disk_bytes=0)) as cache:
            for number in range(300):
                cache.set(str(number), random.Random(number).randbytes(100_000), tags=(f"tag {number}",))
            assert int(server.client().info("stats")["evicted_keys"]) > 100  # type: ignore[index]
            assert len(server.keys(":t:")) == 301
            assert cache.stats()["redis"]["errors"] == 0
    finally:
        server.kill()


@pytest.mark.parametrize("what", ["pickle", "truncated", "empty", "key", "disk's"])
def test_an_entry_planted_in_redis_is_a_miss_and_is_deleted(server: Server, tmp_path: Path, what: str) -> None:
    with opened(cache_settings(tmp_path / "a", server.url, disk_bytes=0)) as base:
        cache = base.namespace("planted", kind=dict[str, Any])
        cache.set("serde", VALUE)
        cache.set("tokio", VALUE)
        client, name = server.client(), server.keys(":e:planted@1/serde")[0]
        whole: Any = client.get(name)
        other: Any = client.get(server.keys(":e:planted@1/tokio")[0])
        planted = {
            "pickle": b"cbuiltins\nexec\n(S'import os; os._exit(77)'\ntR.",
            "truncated": whole[:-1],
            "empty": b"",
            "key": other,
            "disk's": whole.replace(b"redis", b"disk0"),
        }
        client.set(name, planted[what], keepttl=True)
        clear_memory(cache)
        assert cache.get("serde") is None
        assert cache.stats()["redis"]["errors"] == 1
        assert server.keys(":e:planted@1/serde") == []
        assert cache.get_or_set("serde", lambda: {"made": "again"}) == {"made": "again"}


def test_redis_with_tls_and_a_password(valkey: Server, tmp_path: Path) -> None:
    with SlowProxy(valkey.reset(), certified(tmp_path)) as safe, valkey.client() as client:
        client.acl_setuser(
            "reader", enabled=True, passwords=["+not shown"], keys=["*"], commands=["+@all"], channels=["*"]
        )
        address = safe.url.removeprefix("rediss://")
        authority = f"ssl_ca_certs={tmp_path / 'cert.pem'}"

        def cached(url: str, timeout_s: float = 2.0) -> Any:
            with opened(replace(cache_settings(tmp_path / "cache", url, disk_bytes=0), timeout_s=timeout_s)) as cache:
                cache.set("a", url)
                clear_memory(cache)
                return cache.get("a")

        right = f"rediss://reader:not%20shown@{address}?{authority}"
        assert cached(right) == right
        for wrong in (f"rediss://reader:guessed@{address}?{authority}", f"rediss://reader:not%20shown@{address}"):
            assert cached(wrong, timeout_s=0.2) is None


# --- the disk is full


FULL_DISK = """
import random, resource, sys
from pathlib import Path
from resources.cache import CacheSettings, close_cache, open_cache
folder, limit = Path(sys.argv[1]), sys.argv[2]
settings = CacheSettings(folder, memory_bytes=1 << 20, disk_bytes=16 << 20, key="a key of the tests alone")
cache = open_cache(settings)
disk = cache.core.levels.local.disk
chance = random.Random(0)
last = {}
def write(size):
    key = str(chance.randrange(20))
    last[key] = chance.randbytes(size)
    cache.set(key, last[key], tags=("all",))
def check():
    found = 0
    for key, value in last.items():
        cache.core.levels.local.memory.clear()
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
disk._breaker.record(0.0, failed=False)
check()
for _ in range(40):
    write(chance.randrange(5000))
assert check() == sum(value is not None for value in last.values()), "there is room again"
close_cache(settings)
"""


@pytest.mark.parametrize("limit", ["as large as it is", "not a page more"])
def test_a_full_disk_causes_misses_and_no_outdated_value(tmp_path: Path, limit: str) -> None:
    """`RLIMIT_FSIZE` limits writes as a full disk does. With the second limit even a deletion fails."""
    folder = tmp_path / "cache"
    command = [sys.executable, "-c", FULL_DISK, str(folder), limit]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    child = subprocess.Popen(command, cwd=PROJECT, text=True, **pipes)
    assert child.stdout
    printed = child.stdout.readline()
    if printed == "full\n":
        # another process, which can write, does not serve the values that the first could not delete
        with open_peer(replace(cache_settings(folder), memory_bytes=1 << 20)) as peer:
            assert peer("[cache.get(str(number)) for number in range(20)]") == [None] * 20
    _, errors = child.communicate("\n", timeout=50)
    assert (printed, child.returncode) == ("full\n", 0), errors
