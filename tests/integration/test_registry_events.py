"""Events out of two looks at the index: what counts when, nothing twice, and the state they lead to."""

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
from resources.crates_io.events import KNOWN, LOOKS, News, compare, known_from
from resources.crates_io.sparse_index import DEPENDENCIES, VERSIONS
from testing.fuzzing import times

T0 = datetime(2026, 1, 1)
NONE_KNOWN, NEVER_LOOKED = KNOWN.empty_table(), LOOKS.empty_table()


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


def look(
    con: duckdb.DuckDBPyConnection,
    versions: list[dict],
    seen_at: datetime,
    known: pa.Table = NONE_KNOWN,
    looks: pa.Table = NEVER_LOOKED,
    dependencies: list[dict] | None = None,
) -> News:
    rows = pa.Table.from_pylist(versions, VERSIONS)
    return compare(con, known, looks, rows, pa.Table.from_pylist(dependencies or [], DEPENDENCIES), seen_at)


def looked(name: str, at: datetime) -> pa.Table:
    return pa.Table.from_pylist([{"name": name, "looked_at": at}], LOOKS)


def known(*versions: tuple[str, str, bool]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(KNOWN.names, row)) for row in versions], KNOWN)


def shown(events: pa.Table) -> list[tuple]:
    return [tuple(row.values()) for row in events.to_pylist()]


def test_a_publication_has_its_own_time_and_counts_from_when_it_was_seen(con: duckdb.DuckDBPyConnection) -> None:
    new = version("1.0.0", published_at=hour(1))
    deps = [dependency("1.0.0", "rand"), dependency("0.9.0", "libc")]
    old = known(("foo", "0.9.0", False))
    news = look(con, [version("0.9.0"), new], hour(5), old, looked("foo", hour(3)), deps)
    assert shown(news.events) == [("foo", "1.0.0", "publish", hour(1), True, hour(1), hour(5))]
    row = news.versions.to_pylist()[0]
    assert (row["published_at"], row["published_after"], row["published_at_exact"]) == (hour(1), hour(1), True)
    assert (row["num"], row["known_at"], news.versions.num_rows) == ("1.0.0", hour(5), 1)
    assert news.dependencies["dependency"].to_pylist() == ["rand"]


@pytest.mark.parametrize("published_at", [None, hour(6)])
def test_a_publication_without_a_time_lies_between_the_looks(
    con: duckdb.DuckDBPyConnection, published_at: datetime | None
) -> None:
    """So does one with a time that is still to come: the index is wrong there, or a clock."""
    new = [version("1.0.0", published_at=published_at)]
    assert shown(look(con, new, hour(5), looks=looked("foo", hour(3))).events) == [
        ("foo", "1.0.0", "publish", hour(5), False, hour(3), hour(5))
    ]
    news = look(con, new, hour(5))
    assert shown(news.events) == [("foo", "1.0.0", "publish", hour(5), False, None, hour(5))]
    assert news.versions["published_at_exact"].to_pylist() == [False]


def test_a_yank_has_the_time_it_was_seen_and_lies_after_the_look_before(con: duckdb.DuckDBPyConnection) -> None:
    before = known(("foo", "1.0.0", False), ("foo", "1.1.0", True), ("foo", "1.2.0", True), ("bar", "1.0.0", True))
    now = [version("1.0.0", 0, yanked=True), version("1.1.0", 1), version("1.2.0", 2, yanked=True)]
    news = look(con, now, hour(5), before, looked("foo", hour(3)))
    assert shown(news.events) == [
        ("foo", "1.0.0", "yank", hour(5), False, hour(3), hour(5)),
        ("foo", "1.1.0", "unyank", hour(5), False, hour(3), hour(5)),
    ]
    assert news.versions.num_rows == 0


def test_a_version_first_seen_yanked_was_published_and_yanked_after_that(con: duckdb.DuckDBPyConnection) -> None:
    new = [version("1.0.0", published_at=hour(4), yanked=True), version("1.1.0", 1, yanked=True)]
    assert shown(look(con, new, hour(5), looks=looked("foo", hour(3))).events) == [
        ("foo", "1.0.0", "publish", hour(4), True, hour(4), hour(5)),
        ("foo", "1.0.0", "yank", hour(5), False, hour(4), hour(5)),
        ("foo", "1.1.0", "publish", hour(5), False, hour(3), hour(5)),
        ("foo", "1.1.0", "yank", hour(5), False, hour(3), hour(5)),
    ]


def test_crates_are_told_apart_and_what_is_gone_makes_no_event(con: duckdb.DuckDBPyConnection) -> None:
    before = known(("foo", "1.0.0", False), ("foo", "2.0.0", False))
    now = [version("1.0.0", name="bar"), version("1.0.0", yanked=True)]
    news = look(con, now, hour(5), before, looked("foo", hour(3)))
    assert [(name, kind) for name, _, kind, *_ in shown(news.events)] == [("bar", "publish"), ("foo", "yank")]


def test_a_clock_that_went_back_is_refused(con: duckdb.DuckDBPyConnection) -> None:
    for now in (hour(2), hour(3)):
        with pytest.raises(BadInput, match="set the clock right"):
            look(con, [version("1.0.0")], now, looks=looked("foo", hour(3)))


def test_the_session_is_left_as_it_was(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create or replace temp view events as select 7 as mine")
    known_from(con, NONE_KNOWN, look(con, [version("1.0.0")], hour(1)).events)
    assert con.sql("from events").fetchall() == [(7,)]
    con.execute("drop view events")


@dataclass
class Registry:
    """An index of two crates that is published to and yanked from by chance, and the truth of what happened."""

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
def test_events_in_any_order_and_number_lead_to_the_index(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    random = Random(seed)
    registry = Registry(random)
    for i in range(random.randrange(5)):
        registry.change(hour(-i))
    base = registry.state()
    log: list[pa.Table] = []
    state, last_look = base, hour(0)
    for i in range(1, random.randrange(2, 8)):
        for _ in range(random.randrange(5)):
            registry.change(hour(i - random.random() / 2))
        polled = random.choice([["foo"], ["bar"], ["foo", "bar"]])
        rows = [row for row in registry.versions.values() if row["name"] in polled]
        looks = pa.Table.from_pylist([{"name": n, "looked_at": last_look} for n in ("foo", "bar")], LOOKS)
        news = look(con, rows, hour(i), state, looks)
        assert all(after <= at <= seen for *_, at, _, after, seen in shown(news.events))
        log += [news.events] * random.choice([1, 2])
        shuffled = [batch.slice(k, 1) for batch in log for k in range(batch.num_rows)]
        random.shuffle(shuffled)
        state = known_from(con, base, pa.concat_tables([news.events.schema.empty_table(), *shuffled]))
        again = look(con, rows, hour(i + 0.1), state, looks)
        assert (again.events.num_rows, again.versions.num_rows, again.dependencies.num_rows) == (0, 0, 0)
        last_look = hour(i + 0.1)
    final = look(con, list(registry.versions.values()), hour(100), state)
    assert known_from(con, base, pa.concat_tables([final.events, *log])) == registry.state()
