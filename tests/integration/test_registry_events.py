"""Events from two readings of the index: their times, no duplicates, and the state after them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.common.errors import BadInput
from resources.crates_io.events import LAST_READS, VERSION_STATES, Changes, find_changes, replay_events
from resources.crates_io.index_format import DEPENDENCIES, VERSIONS
from testing.fuzzing import times

T0 = datetime(2026, 1, 1)
NOTHING_KNOWN, NEVER_READ = VERSION_STATES.empty_table(), LAST_READS.empty_table()


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as session:
        yield session


def hour(number: float) -> datetime:
    return T0 + timedelta(hours=number)


def version(num: str, position: int = 0, name: str = "foo", **values: object) -> dict:
    nothing = {"published_at": None, "feature_names": [], "links": None, "rust_version": None, "checksum": "0" * 64}
    return {"name": name, "num": num, "position": position, "yanked": False} | nothing | values


def dependency(num: str, on: str, name: str = "foo") -> dict:
    values = {"req": "^1", "kind": "normal", "optional": False, "default_features": True}
    return {"name": name, "num": num, "dependency": on, "target": None, "explicit_name": None} | values


def changes(
    con: duckdb.DuckDBPyConnection,
    versions: list[dict],
    read_at: datetime,
    known: pa.Table = NOTHING_KNOWN,
    last_reads: pa.Table = NEVER_READ,
    dependencies: list[dict] | None = None,
) -> Changes:
    rows = pa.Table.from_pylist(versions, VERSIONS)
    return find_changes(con, known, last_reads, rows, pa.Table.from_pylist(dependencies or [], DEPENDENCIES), read_at)


def last_read(name: str, at: datetime) -> pa.Table:
    return pa.Table.from_pylist([{"name": name, "read_at": at}], LAST_READS)


def known(*versions: tuple[str, str, bool]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(VERSION_STATES.names, row)) for row in versions], VERSION_STATES)


def shown(events: pa.Table) -> list[tuple]:
    return [tuple(row.values()) for row in events.to_pylist()]


def test_publication_has_its_own_time_and_is_known_from_the_reading(con: duckdb.DuckDBPyConnection) -> None:
    new = version("1.0.0", published_at=hour(1))
    deps = [dependency("1.0.0", "rand"), dependency("0.9.0", "libc")]
    old = known(("foo", "0.9.0", False))
    found = changes(con, [version("0.9.0"), new], hour(5), old, last_read("foo", hour(3)), deps)
    assert shown(found.events) == [("foo", "1.0.0", "publish", hour(1), True, hour(1), hour(5))]
    row = found.versions.to_pylist()[0]
    assert (row["published_at"], row["published_after"], row["published_at_exact"]) == (hour(1), hour(1), True)
    assert (row["num"], row["known_at"], found.versions.num_rows) == ("1.0.0", hour(5), 1)
    assert found.dependencies["dependency"].to_pylist() == ["rand"]


@pytest.mark.parametrize("published_at", [None, hour(6)])
def test_publication_without_a_time_is_between_the_readings(
    con: duckdb.DuckDBPyConnection, published_at: datetime | None
) -> None:
    """The same holds for a publication time after the reading."""
    new = [version("1.0.0", published_at=published_at)]
    assert shown(changes(con, new, hour(5), last_reads=last_read("foo", hour(3))).events) == [
        ("foo", "1.0.0", "publish", hour(5), False, hour(3), hour(5))
    ]
    found = changes(con, new, hour(5))
    assert shown(found.events) == [("foo", "1.0.0", "publish", hour(5), False, None, hour(5))]
    assert found.versions["published_at_exact"].to_pylist() == [False]


def test_yank_has_the_time_of_the_reading_and_is_after_the_previous_one(con: duckdb.DuckDBPyConnection) -> None:
    before = known(("foo", "1.0.0", False), ("foo", "1.1.0", True), ("foo", "1.2.0", True), ("bar", "1.0.0", True))
    now = [version("1.0.0", 0, yanked=True), version("1.1.0", 1), version("1.2.0", 2, yanked=True)]
    found = changes(con, now, hour(5), before, last_read("foo", hour(3)))
    assert shown(found.events) == [
        ("foo", "1.0.0", "yank", hour(5), False, hour(3), hour(5)),
        ("foo", "1.1.0", "unyank", hour(5), False, hour(3), hour(5)),
    ]
    assert found.versions.num_rows == 0


def test_version_that_is_yanked_when_first_read_gives_two_events(con: duckdb.DuckDBPyConnection) -> None:
    new = [version("1.0.0", published_at=hour(4), yanked=True), version("1.1.0", 1, yanked=True)]
    assert shown(changes(con, new, hour(5), last_reads=last_read("foo", hour(3))).events) == [
        ("foo", "1.0.0", "publish", hour(4), True, hour(4), hour(5)),
        ("foo", "1.0.0", "yank", hour(5), False, hour(4), hour(5)),
        ("foo", "1.1.0", "publish", hour(5), False, hour(3), hour(5)),
        ("foo", "1.1.0", "yank", hour(5), False, hour(3), hour(5)),
    ]


def test_missing_version_gives_no_event(con: duckdb.DuckDBPyConnection) -> None:
    before = known(("foo", "1.0.0", False), ("foo", "2.0.0", False))
    now = [version("1.0.0", name="bar"), version("1.0.0", yanked=True)]
    found = changes(con, now, hour(5), before, last_read("foo", hour(3)))
    assert [(name, kind) for name, _, kind, *_ in shown(found.events)] == [("bar", "publish"), ("foo", "yank")]


def test_clock_that_went_back_is_rejected(con: duckdb.DuckDBPyConnection) -> None:
    for now in (hour(2), hour(3)):
        with pytest.raises(BadInput, match="set the clock"):
            changes(con, [version("1.0.0")], now, last_reads=last_read("foo", hour(3)))


def test_session_is_unchanged(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create or replace temp view events as select 7 as mine")
    replay_events(con, NOTHING_KNOWN, changes(con, [version("1.0.0")], hour(1)).events)
    assert con.sql("from events").fetchall() == [(7,)]
    con.execute("drop view events")


@dataclass
class Registry:
    """An index of two crates with random publications and yanks."""

    random: Random
    versions: dict[tuple[str, str], dict] = field(default_factory=dict)

    def change(self, at: datetime) -> None:
        if not self.versions or self.random.random() < 0.4:
            name, position = self.random.choice(["foo", "bar"]), len(self.versions)
            published_at = self.random.choice([at, None])
            self.versions[name, f"{position}.0.0"] = version(
                f"{position}.0.0", position, name, published_at=published_at
            )
        else:
            chosen = self.random.choice(list(self.versions.values()))
            chosen["yanked"] = not chosen["yanked"]

    def state(self) -> pa.Table:
        return known(*sorted((name, num, row["yanked"]) for (name, num), row in self.versions.items()))


@settings(max_examples=times(20), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_order_and_duplicates_of_events_do_not_matter(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    random = Random(seed)
    registry = Registry(random)
    for i in range(random.randrange(5)):
        registry.change(hour(-i))
    base = registry.state()
    log: list[pa.Table] = []
    state, last_read_at = base, hour(0)
    for i in range(1, random.randrange(2, 8)):
        for _ in range(random.randrange(5)):
            registry.change(hour(i - random.random() / 2))
        read = random.choice([["foo"], ["bar"], ["foo", "bar"]])
        rows = [row for row in registry.versions.values() if row["name"] in read]
        reads = pa.Table.from_pylist([{"name": n, "read_at": last_read_at} for n in ("foo", "bar")], LAST_READS)
        found = changes(con, rows, hour(i), state, reads)
        assert all(after <= at <= known_at for *_, at, _, after, known_at in shown(found.events))
        log += [found.events] * random.choice([1, 2])
        shuffled = [batch.slice(k, 1) for batch in log for k in range(batch.num_rows)]
        random.shuffle(shuffled)
        state = replay_events(con, base, pa.concat_tables([found.events.schema.empty_table(), *shuffled]))
        again = changes(con, rows, hour(i + 0.1), state, reads)
        assert (again.events.num_rows, again.versions.num_rows, again.dependencies.num_rows) == (0, 0, 0)
        last_read_at = hour(i + 0.1)
    final = changes(con, list(registry.versions.values()), hour(100), state)
    assert replay_events(con, base, pa.concat_tables([final.events, *log])) == registry.state()
