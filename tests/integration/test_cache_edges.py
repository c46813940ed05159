"""Where the cache's parts meet: a refresh and its tags, a leader that ends, odd keys, addresses and messages."""

import asyncio
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resources.cache import Made
from resources.common.errors import BadInput
from resources.common.settings import PROJECT
from testing.cache_server import Server, opened, peer_of, settings_of, until


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server")).start()
    yield started
    started.kill()


@pytest.fixture
def server(running: Server) -> Server:
    return running.renew()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Any]:
    with opened(settings_of(tmp_path / "cache", disk_bytes=0)) as cache:
        yield cache


def fails() -> Any:
    raise ConnectionError("the source is away")


def test_what_is_refreshed_early_has_the_tags_of_the_call(plain: Any) -> None:
    plain.get_or_set("other", int, tags=("t",))  # the tag is known
    plain.set("a", "old")
    plain.get_or_set("a", lambda: "new", tags=("t",), eager=1e-9)
    assert until(lambda: plain.get("a") == "new")
    plain.invalidate_tags("t")
    assert plain.get("a") is None


def test_an_entry_that_is_refreshed_again_and_again_does_not_grow(plain: Any) -> None:
    numbers = itertools.count()
    for number in range(20):
        plain.get_or_set("a", lambda: Made(next(numbers), tags=("x",)), tags=("t",), eager=1e-9)
        assert until(lambda least=number: plain.get("a") >= least)
    assert sorted(tag for tag, _ in plain._levels.memory.get("default@1/a").versions) == ["default@1", "t", "x"]


def test_a_factory_that_fails_is_left_alone_though_most_of_the_time_is_over(plain: Any) -> None:
    plain.set("a", 1, ttl=0.2, grace=60.0, jitter=0.0)
    time.sleep(0.25)
    calls: list[int] = []
    for _ in range(50):
        assert plain.get_or_set("a", lambda: calls.append(1) or fails(), ttl=0.2, grace=60.0, eager=0.1) == 1
    time.sleep(0.1)
    assert len(calls) == 1


@pytest.mark.parametrize("call", ["get", "set", "delete", "get_or_set"])
def test_a_key_that_is_no_text_is_refused_and_harms_nothing(tmp_path: Path, call: str) -> None:
    with opened(settings_of(tmp_path / "cache")) as cache:
        cache.set("a", 1)
        with pytest.raises(UnicodeEncodeError):
            getattr(cache, call)("\udcff", *([int] if "set" in call else []))
        cache._levels.memory.clear()
        assert cache.get("a") == 1


def test_a_value_has_a_hundred_tags_at_most(plain: Any) -> None:
    tags = [f"{number:03}".ljust(200, "t") for number in range(101)]
    with pytest.raises(ValueError, match="at most 100"):
        plain.set("a", 1, tags=tags)
    with pytest.raises(ValueError, match="at most 100"):
        plain.get_or_set("a", lambda: Made(1, tags=tuple(tags)))
    plain.set("a", 1, tags=tags[:100])
    assert plain.get("a") == 1
    plain.invalidate_tags(*reversed(tags))
    assert plain.get("a") is None, "any number of tags can be invalidated at once"


def test_a_call_cannot_make_a_value_immutable(plain: Any) -> None:
    with pytest.raises(ValueError, match="of a namespace"):
        plain.set("a", 1, immutable=True)


def test_a_slow_bump_does_not_undo_a_later_one_on_the_disk(tmp_path: Path, running: Server) -> None:
    """Told to the disk late: what the other process invalidated stays so for one that begins while Redis is away."""
    server = Server(tmp_path).start()
    settings = settings_of(tmp_path / "cache", server.url)
    with opened(settings) as cache:
        bump, go_on = cache._levels.bump_on_disk, threading.Event()
        cache._levels.bump_on_disk = lambda versions, decided: go_on.wait(20) and bump(versions, decided=decided)
        slow = threading.Thread(target=cache.invalidate_tags, args=("t",))
        with peer_of(settings) as peer:
            slow.start()
            assert until(lambda: server.client().exists(cache._levels.redis.tag("t")))
            peer("cache.set('a', 'between', tags=('t',), jitter=0.0)")
            peer("cache.invalidate_tags('t')")
        go_on.set()
        slow.join()
        server.kill()
        with peer_of(replace(settings, timeout_s=0.1)) as peer:
            assert peer("cache.get('a')") is None


def test_a_lease_taken_whose_answer_was_lost_is_ours(server: Server, tmp_path: Path) -> None:
    with opened(settings_of(tmp_path / "cache", server.url, disk_bytes=0)) as cache:
        client = cache._waiting.client
        execute = client.execute

        async def twice(*command: Any) -> Any:
            await execute(*command)
            return await execute(*command)

        client.execute = twice
        started = time.monotonic()
        assert cache.get_or_set("a", lambda: 1) == 1
        assert time.monotonic() - started < 1.0, "not as long as a lease"


def test_an_odd_message_deafens_nobody(server: Server, tmp_path: Path) -> None:
    with (
        opened(settings_of(tmp_path / "cache", server.url)) as cache,
        peer_of(settings_of(tmp_path / "b", server.url)) as peer,
    ):
        stream = cache._levels.redis.stream
        for fields in (["m", "x", "n", "y"], ["m", b"\xff\0t\0\0"], ["m", "\0t\0a\0" + "9" * 30], ["m", "\0k\0\0"]):
            server.client().execute_command("XADD", stream, "*", *fields)
        cache.set("a", 1)
        assert until(lambda: peer("cache.get('a')") == 1)
        cache.set("a", 2)
        assert until(lambda: peer("cache.get('a')") == 2)


@pytest.mark.parametrize("option", ["protocol=3", "decode_responses=1", "socket_timeout=60"])
def test_what_the_address_says_of_answers_is_not_taken_over(server: Server, tmp_path: Path, option: str) -> None:
    settings = settings_of(tmp_path / "cache", f"{server.url}?{option}", disk_bytes=0)
    with opened(replace(settings, timeout_s=0.5)) as cache:
        assert until(lambda: cache._levels.view.contact > 0)
        cache.set("a", 1)
        cache._levels.memory.clear()
        assert cache.get("a") == 1
        server.hang()
        started = time.monotonic()
        cache._levels.memory.clear()
        assert cache.get("a") is None
        assert time.monotonic() - started < 10.0
        server.go_on()


@pytest.mark.parametrize("url", ["http://localhost", "redis://localhost?nothing=1", "redis://localhost:no"])
def test_an_address_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    threads = threading.active_count()
    with pytest.raises(BadInput, match="REDIS_URL"), opened(settings_of(tmp_path / "cache", url)):
        pass
    assert threading.active_count() == threads


def test_a_server_that_is_there_is_not_said_to_be_away(server: Server, tmp_path: Path) -> None:
    """Not even by a process that has yet to import what it asks with."""
    script = (
        "import sys, logging; from pathlib import Path; from resources.cache import CacheSettings, open_cache;"
        "logging.basicConfig(level=logging.WARNING);"
        "open_cache(CacheSettings(Path(sys.argv[1]), redis_url=sys.argv[2], timeout_s=0.15))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "cache"), server.url]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_who_waits_for_a_loop_that_ends_makes_the_value(plain: Any) -> None:
    begun = threading.Event()

    async def never() -> None:
        begun.set()
        await asyncio.sleep(60)

    async def leads() -> None:
        task = asyncio.ensure_future(plain.asynchronous().get_or_set("a", never))
        while not waiting:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()

    found, waiting = [], []

    def waits() -> None:
        begun.wait()
        waiting.append(1)
        found.append(plain.get_or_set("a", lambda: "its own"))

    thread = threading.Thread(target=waits)
    thread.start()
    asyncio.run(leads())
    thread.join(20)
    assert found == ["its own"]


def test_a_process_that_is_given_no_more_threads_makes_values_in_its_own(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    for number in range(100):
        assert plain.get_or_set(str(number), lambda: 1, hard_timeout=5.0) == 1
