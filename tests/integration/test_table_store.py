"""Tables are published whole, in their schema, and never disturb who reads the one before."""

import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.preview import markdown
from resources.common.errors import BadInput
from resources.warehouse import contracts
from resources.warehouse.schema import Column, Reference, Table
from resources.warehouse.session import Sessions
from resources.warehouse.table_store import TableStore

TABLE = Table(
    name="things",
    grain="One row per thing.",
    partition="as_of",
    columns=(
        Column("id", "int64", "Id"),
        Column("kind", "string", "Kind", accepted=("a", "b")),
        Column("seen_at", "timestamp", "When", nullable=True),
    ),
    key=("id",),
    references=(Reference("id", "others", "id"),),
    dates=("seen_at",),
    least_share_of_previous=0.9,
)


def rows(*ids: int, kind: str = "a") -> pa.Table:
    return pa.table({"id": list(ids), "kind": [kind] * len(ids), "seen_at": pa.nulls(len(ids))})


@pytest.fixture
def store(tmp_path: Path) -> TableStore:
    return TableStore(root=str(tmp_path / "warehouse"))


def test_same_rows_same_bytes(store: TableStore) -> None:
    first = store.publish(TABLE, "2020-01-01", rows(1, 2))
    assert store.publish(TABLE, "2020-01-01", rows(1, 2)) == first
    assert store.publish(TABLE, "2020-01-01", rows(1, 3)).sha256 != first.sha256


def test_reader_of_the_table_before_is_not_disturbed(store: TableStore) -> None:
    first = store.publish(TABLE, "2020-01-01", rows(1))
    second = store.publish(TABLE, "2020-01-01", rows(2))
    assert store.need("things", "2020-01-01").path == second.path
    assert pq.read_table(first.path)["id"].to_pylist() == [1]
    store.publish(TABLE, "2020-01-01", rows(2))
    assert first.path.exists(), "the same bytes again replace nothing"
    store.publish(TABLE, "2020-01-01", rows(3))
    assert not first.path.exists()


def test_left_overs_of_a_killed_run_are_swept(store: TableStore) -> None:
    folder = store.publish(TABLE, "2020-01-01", rows(1)).path.parent
    dead = next(p for p in range(2**22, 2**22 + 999) if not Path(f"/proc/{p}").exists())
    (folder / f".{dead}.tmp").write_text("half a table")
    alive = folder / f".{os.getppid()}.tmp"
    alive.write_text("somebody writes this")
    store.publish(TABLE, "2020-01-01", rows(2))
    assert [p.name for p in folder.glob(".*")] == [alive.name]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (pa.table({"id": [1]}), r"columns missing \['kind', 'seen_at'\]"),
        (rows(1).append_column("more", pa.array([1])), r"unknown \['more'\]"),
        (pa.table({"id": ["x"], "kind": ["a"], "seen_at": pa.nulls(1)}), "does not fit its declared schema"),
    ],
)
def test_wrong_schema_is_refused_and_the_table_stays(store: TableStore, bad: pa.Table, message: str) -> None:
    before = store.publish(TABLE, "2020-01-01", rows(1))
    with pytest.raises(BadInput, match=message):
        store.publish(TABLE, "2020-01-01", bad)
    assert store.need("things", "2020-01-01") == before


BROKEN = {
    "not_null": (
        pa.table({"id": [1], "kind": pa.nulls(1, pa.string()), "seen_at": pa.nulls(1)}),
        "kind is null: 1 rows",
    ),
    "unique_key": (rows(1, 1), r"\(id\) stands more than once, or out of order: 1 rows"),
    "references_whole": (rows(1, 9), "id is not in others.id: 1 rows, such as id = "),
    "known_values": (rows(1, kind="c"), "kind is none of a, b"),
    "inside_snapshot": (
        pa.table({"id": [1], "kind": ["a"], "seen_at": pa.array([1_600_000_000_000_000], pa.timestamp("us"))}),
        "seen_at is after the snapshot",
    ),
    "row_count": (rows(1), "1 rows after 10 in the partition before: at least 9 expected"),
}


@pytest.mark.parametrize("name", contracts.names(TABLE))
def test_each_contract_can_fail(name: str, tmp_path: Path) -> None:
    bad, words = BROKEN[name]
    with Sessions(scratch=str(tmp_path), memory="1GB", threads=1).open() as con:
        con.execute("create table others as select unnest([1, 2, 3]) as id")
        good = contracts.judge(con, TABLE, con.from_arrow(rows(1, 2, 3)), "2020-01-01", rows_before=3)
        assert all(outcome.passed for outcome in good), good
        outcome = next(
            o for o in contracts.judge(con, TABLE, con.from_arrow(bad), "2020-01-01", rows_before=10) if o.name == name
        )
    assert not outcome.passed
    assert re.search(words, outcome.words), outcome.words


def test_preview_shows_nothing_that_acts() -> None:
    hostile = "<script>alert(1)</script> | [x](javascript:1) \x1b[31m `code` \u202eabc\nnew line"
    shown = markdown(pa.table({"text": [hostile], "number": [1.23456789], "none": pa.nulls(1)}))
    line = shown.splitlines()[2]
    assert len(shown.splitlines()) == 3
    for forbidden in ("<", "\x1b", "\u202e", "](", "`"):
        assert forbidden not in line.replace("\\`", "").replace("\\]", ""), forbidden
    assert "1.235" in line
    assert "unknown" in line
