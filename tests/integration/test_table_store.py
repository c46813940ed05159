"""The table store publishes atomically, checks the schema, and leaves the previous file to its readers."""

import os
import re
import socket
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.preview import markdown
from resources.common.errors import BadInput
from resources.common.processes import MAX_FOREIGN_AGE, process_token
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
    min_share_of_previous=0.9,
)


def rows(*ids: int, kind: str = "a") -> pa.Table:
    return pa.table({"id": list(ids), "kind": [kind] * len(ids), "seen_at": pa.nulls(len(ids))})


@pytest.fixture
def store(tmp_path: Path) -> TableStore:
    return TableStore(root=str(tmp_path / "warehouse"))


def test_same_rows_give_the_same_bytes(store: TableStore) -> None:
    first = store.publish(TABLE, "2020-01-01", rows(1, 2))
    assert store.publish(TABLE, "2020-01-01", rows(1, 2)) == first
    assert store.publish(TABLE, "2020-01-01", rows(1, 3)).sha256 != first.sha256


def test_previous_file_is_retained_until_the_next_publication(store: TableStore) -> None:
    first = store.publish(TABLE, "2020-01-01", rows(1))
    second = store.publish(TABLE, "2020-01-01", rows(2))
    assert store.require("things", "2020-01-01").path == second.path
    assert pq.read_table(first.path)["id"].to_pylist() == [1]
    store.publish(TABLE, "2020-01-01", rows(2))
    assert first.path.exists(), "publishing the same bytes replaces nothing"
    store.publish(TABLE, "2020-01-01", rows(3))
    assert not first.path.exists()


def test_temporary_files_of_ended_processes_are_removed(store: TableStore) -> None:
    """A pid is only compared on its own host, and only with a process of the same start time."""
    folder = store.publish(TABLE, "2020-01-01", rows(1)).path.parent
    here, dead = socket.gethostname(), next(p for p in range(2**22, 2**22 + 999) if not Path(f"/proc/{p}").exists())
    ended = [f"{dead}-1@{here}", f"{os.getppid()}-1@{here}", "1-1@elsewhere.example.org"]
    running = [process_token(os.getppid()), f"{dead}-1@elsewhere.example.org"]
    for token in ended + running:
        (folder / f".rows.parquet.{token}").write_text("half a table")
    too_old = time.time() - MAX_FOREIGN_AGE.total_seconds() - 60
    os.utime(folder / f".rows.parquet.{ended[-1]}", (too_old, too_old))
    store.publish(TABLE, "2020-01-01", rows(2))
    assert {p.name for p in folder.glob(".*")} == {f".rows.parquet.{token}" for token in running}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (pa.table({"id": [1]}), r"missing columns \['kind', 'seen_at'\]"),
        (rows(1).append_column("more", pa.array([1])), r"unknown columns \['more'\]"),
        (pa.table({"id": ["x"], "kind": ["a"], "seen_at": pa.nulls(1)}), "do not fit the declared schema"),
    ],
)
def test_wrong_schema_is_rejected_and_the_table_is_unchanged(store: TableStore, bad: pa.Table, message: str) -> None:
    before = store.publish(TABLE, "2020-01-01", rows(1))
    with pytest.raises(BadInput, match=message):
        store.publish(TABLE, "2020-01-01", bad)
    assert store.require("things", "2020-01-01") == before


VIOLATIONS = {
    "not_null": (
        pa.table({"id": [1], "kind": pa.nulls(1, pa.string()), "seen_at": pa.nulls(1)}),
        "kind is null: 1 rows",
    ),
    "unique_key": (rows(1, 1), r"\(id\) is duplicated or out of order: 1 rows"),
    "foreign_keys": (rows(1, 9), "id is not in others.id: 1 rows, such as id = "),
    "accepted_values": (rows(1, kind="c"), "kind is not one of a, b"),
    "not_after_snapshot": (
        pa.table({"id": [1], "kind": ["a"], "seen_at": pa.array([1_600_000_000_000_000], pa.timestamp("us"))}),
        "seen_at is after the snapshot",
    ),
    "row_count": (rows(1), "1 rows after 10 in the previous partition: expected at least 9"),
}


@pytest.mark.parametrize("name", contracts.names(TABLE))
def test_each_contract_detects_its_violation(name: str, tmp_path: Path) -> None:
    bad, message = VIOLATIONS[name]
    with Sessions(scratch=str(tmp_path), memory="1GB", threads=1).open() as con:
        con.execute("create table others as select unnest([1, 2, 3]) as id")
        good = contracts.check(con, TABLE, con.from_arrow(rows(1, 2, 3)), "2020-01-01", rows_before=3)
        assert all(outcome.passed for outcome in good), good
        outcome = next(
            o for o in contracts.check(con, TABLE, con.from_arrow(bad), "2020-01-01", rows_before=10) if o.name == name
        )
    assert not outcome.passed
    assert re.search(message, outcome.message), outcome.message


def test_preview_escapes_markup_and_control_characters() -> None:
    text = "<script>alert(1)</script> | [x](javascript:1) \x1b[31m `code` \u202eabc\nnew line"
    shown = markdown(pa.table({"text": [text], "number": [1.23456789], "none": pa.nulls(1)}))
    line = shown.splitlines()[2]
    assert len(shown.splitlines()) == 3
    for forbidden in ("<", "\x1b", "\u202e", "](", "`"):
        assert forbidden not in line.replace("\\`", "").replace("\\]", ""), forbidden
    assert "1.235" in line
    assert "unknown" in line
