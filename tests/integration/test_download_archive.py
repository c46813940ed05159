"""The archive of daily downloads: index, files, known breaks, and the series combined with the dump."""

import csv
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.common.errors import BadInput, CannotWrite
from resources.common.http.client import HttpClient
from resources.common.settings import PROJECT
from resources.crates_io.download_archive import BREAKS, ArchivedDay, fetch_day, list_days, view_breaks, view_days
from testing.crates_io_server import CratesIoServer, Fault
from testing.fuzzing import times

INDEX = "/archive/version-downloads/index.json"
DAY = b"version_id,downloads\n1,100\n2,400\n"


@pytest.fixture
def site() -> Iterator[CratesIoServer]:
    with CratesIoServer() as server:
        yield server


@pytest.fixture
def client() -> HttpClient:
    return HttpClient("tests@example.org")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as session:
        yield session


def serve(site: CratesIoServer, days: dict[str, bytes]) -> None:
    """An archive with its index, newest day first."""
    entries = [{"name": f"{day}.csv", "size": len(body)} for day, body in sorted(days.items(), reverse=True)]
    site.files |= {f"/archive/version-downloads/{day}.csv": body for day, body in days.items()}
    site.files[INDEX] = json.dumps(entries).encode()


def day(name: str, size: int = len(DAY)) -> ArchivedDay:
    return ArchivedDay(date.fromisoformat(name), f"{name}.csv", size)


def test_days_are_listed_oldest_first(site: CratesIoServer, client: HttpClient) -> None:
    site.files[INDEX] = b'[{"name":"2024-08-01.csv","size":138},{"name":"2014-11-11.csv","size":7}]'
    assert list_days(client, site.url) == [day("2014-11-11", 7), day("2024-08-01", 138)]
    site.files[INDEX] = b"[]"
    assert list_days(client, f"{site.url}/") == []


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (b'[{"name":"../2024-08-01.csv","size":1}]', "expected a name like"),
        (b'[{"name":"2024-08-01.csv/x","size":1}]', "expected a name like"),
        (b'[{"name":"2024-08-01.csv\\n","size":1}]', "expected a name like"),
        (b'[{"name":"2024-02-30.csv","size":1}]', "2024-02-30"),
        (b'[{"name":"2024-08-01.csv","size":0}]', "a size from 1"),
        (b'[{"name":"2024-08-01.csv","size":"1"}]', "a size from 1"),
        (b'[{"name":"2024-08-01.csv","size":99999999999}]', "a size from 1"),
        (b'[{"name":"2024-08-01.csv","size":true}]', "a size from 1"),
        (b'[{"name":"2024-08-01.csv"}]', "a size from 1"),
        (b'["2024-08-01.csv"]', "expected a name like"),
        (b'[{"name":"2024-08-01.csv","size":1},{"name":"2024-08-01.csv","size":1}]', "duplicate day"),
        (b'{"name":"2024-08-01.csv","size":1}', "expected a list"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
        (b"<html>", "not JSON"),
        (None, "is missing"),
    ],
)
def test_invalid_index_is_rejected(site: CratesIoServer, client: HttpClient, index: bytes | None, reason: str) -> None:
    site.files = {INDEX: index} if index is not None else {}
    with pytest.raises(BadInput, match=reason):
        list_days(client, site.url)


def test_day_is_fetched_once(site: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    serve(site, {"2024-08-01": DAY})
    listed = list_days(client, site.url)[0]
    folder = tmp_path / "archive"
    path = fetch_day(client, site.url, listed, folder)
    assert (path, path.read_bytes()) == (folder / "2024-08-01.csv", DAY)
    assert fetch_day(client, site.url, listed, folder) == path
    assert len(site.requests_for("/archive/version-downloads/2024-08-01.csv")) == 1

    path.write_bytes(DAY[:-5])
    assert fetch_day(client, site.url, listed, folder).read_bytes() == DAY
    assert [p.name for p in folder.iterdir()] == ["2024-08-01.csv"]


INVALID_DAYS = {
    "other columns": b"version_id,date\n1,2\n",
    "no header": b"1,2\n3,4\n",
    "not a number": b"version_id,downloads\n1,2\nx,4\n",
    "negative": b"version_id,downloads\n1,-2\n",
    "fraction": b"version_id,downloads\n1,0.5\n",
    "a number too large": b"version_id,downloads\n1,99999999999999999999\n",
    "no value": b"version_id,downloads\n1,\n",
    "a duplicate version": b"version_id,downloads\n1,2\n1,3\n",
    "more columns in a row": b"version_id,downloads\n1,2\n3,4,5\n",
    "an open quote": b'version_id,downloads\n1,2\n"3,4\n',
    "not UTF-8": b"version_id,downloads\n1,\xff\xfe\n",
    "zeros": bytes(40),
    "JSON": b'{"errors":[{"detail":"no"}]}',
}


@pytest.mark.parametrize("what", INVALID_DAYS)
def test_invalid_file_of_a_day_is_rejected(site: CratesIoServer, client: HttpClient, tmp_path: Path, what: str) -> None:
    serve(site, {"2024-08-01": INVALID_DAYS[what]})
    with pytest.raises(BadInput, match=r"2024-08-01\.csv is not rows of version_id,downloads"):
        fetch_day(client, site.url, list_days(client, site.url)[0], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_day_with_another_size_or_missing_is_rejected(site: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    path = "/archive/version-downloads/2024-08-01.csv"
    for size in (len(DAY) + 1, len(DAY) - 1):
        site.files[path] = DAY
        with pytest.raises(BadInput, match=rf"{len(DAY)} (or more )?bytes"):
            fetch_day(client, site.url, day("2024-08-01", size), tmp_path)
    del site.files[path]
    with pytest.raises(BadInput, match="is missing"):
        fetch_day(client, site.url, day("2024-08-01"), tmp_path)
    assert list(tmp_path.iterdir()) == []

    site.files[path] = DAY
    site.faults[path] = [Fault(disconnect_after=10)]
    assert fetch_day(client, site.url, day("2024-08-01"), tmp_path).read_bytes() == DAY


def test_folder_that_is_not_writable_is_reported(site: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    serve(site, {"2024-08-01": DAY})
    (tmp_path / "archive").write_text("a file")
    with pytest.raises(CannotWrite, match="free space"):
        fetch_day(client, site.url, day("2024-08-01"), tmp_path / "archive")


@settings(max_examples=times(25), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_corrupt_day_gives_counts_or_bad_input(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    random = Random(seed)
    body = bytearray(DAY)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(body))
        body[at : at + random.randrange(3)] = random.choice([bytes([random.randrange(256)]), b",", b"\n", b'"', b"7"])
    folder = tmp_path_factory.mktemp("days")
    with CratesIoServer() as site, duckdb.connect(config={"threads": 1}) as con:
        serve(site, {"2024-08-01": bytes(body)})
        try:
            path = fetch_day(HttpClient("tests@example.org"), site.url, day("2024-08-01", len(body)), folder)
        except BadInput:
            assert list(folder.iterdir()) == []
            return
        view_days(con, [path])
        rows = con.sql("from archived_downloads").fetchall()
        assert all(version > 0 and day == date(2024, 8, 1) and count >= 0 for version, day, count in rows)


def test_columns_are_found_by_name(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "2024-08-01.csv").write_bytes(DAY)
    (tmp_path / "2024-08-02.csv").write_bytes(b"downloads,version_id\n7,1\n")
    view_days(con, sorted(tmp_path.iterdir()))
    rows = con.sql("select version_id, date, downloads from archived_downloads order by all").fetchall()
    assert rows == [(1, date(2024, 8, 1), 100), (1, date(2024, 8, 2), 7), (2, date(2024, 8, 1), 400)]
    assert con.sql("from archived_downloads").columns == ["version_id", "date", "downloads"]
    view_days(con, [])
    assert con.sql("from archived_downloads").fetchall() == []


def test_breaks_are_well_formed() -> None:
    with BREAKS.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    for row in rows:
        assert date.fromisoformat(row["starts_on"]) <= date.fromisoformat(row["ends_on"])
        assert row["kind"] in ("spam", "undercount", "method")
        names = row["scope"].split(" ")
        assert names == sorted(set(names)) != [""]
        assert row["source"]


QUERY = PROJECT / "resources" / "crates_io" / "dump" / "sql" / "downloads.sql"
MISSING_DAYS = PROJECT / "assets" / "sql" / "shared" / "missing_days.sql"


def series(con: duckdb.DuckDBPyConnection, dump: list[tuple], archive: list[tuple], names: dict[int, str]) -> list:
    """The rows of `downloads` from counts (version_id, date, downloads) of a dump of 2026-10-01 and of the archive."""
    for table, rows in (("source_version_downloads", dump), ("archived_downloads", archive)):
        types = ("varchar",) * 3 if table.startswith("source") else ("bigint", "date", "bigint")
        con.execute(f"create or replace table {table} (version_id {types[0]}, date {types[1]}, downloads {types[2]})")
        con.executemany(f"insert into {table} values (?, ?, ?)", rows) if rows else None
    con.execute("create or replace table crates (id bigint, name varchar)")
    con.execute("create or replace table versions (id bigint, crate_id bigint)")
    con.executemany("insert into crates values (?, ?)", list(names.items()))
    con.executemany("insert into versions values (?, ?)", [(i, i) for i in names])
    view_breaks(con)
    con.execute("set variable snapshot_at = timestamp '2026-10-01 02:15:07'")
    con.execute("set variable newest_archived = (select max(date) from archived_downloads)")
    con.sql(QUERY.read_text()).create_view("downloads", replace=True)
    columns = "version_id, date::varchar, downloads, is_masked, counting_method"
    return con.sql(f"select {columns} from downloads where rejected is null").fetchall()


def test_day_in_dump_and_archive_counts_once_and_the_day_of_the_dump_is_dropped(con: duckdb.DuckDBPyConnection) -> None:
    archive = [(1, "2026-07-01", 10), (1, "2026-07-02", 20), (2, "2026-07-02", 5), (3, "2026-07-02", 9)]
    dump = [(1, "2026-07-02", 22), (2, "2026-07-02", 4), (1, "2026-07-03", 30), (1, "2026-10-01", 1)]
    # version 3 is no longer in the dump
    assert series(con, dump, archive, {1: "foo", 2: "foo"}) == [
        (1, "2026-07-01", 10, False, 2),
        (1, "2026-07-02", 22, False, 2),
        (2, "2026-07-02", 5, False, 2),
        (1, "2026-07-03", 30, False, 2),
    ]


def test_series_from_one_source_if_the_other_is_empty(con: duckdb.DuckDBPyConnection) -> None:
    counted = [(1, "2026-09-01", 10)]
    assert series(con, [], counted, {1: "foo"}) == [(1, "2026-09-01", 10, False, 2)]
    assert series(con, counted, [], {1: "foo"}) == [(1, "2026-09-01", 10, False, 2)]
    assert series(con, [], [], {1: "foo"}) == []


def test_known_breaks_mask_their_days_and_crates(con: duckdb.DuckDBPyConnection) -> None:
    days = ["2021-12-09", "2021-12-10", "2022-04-10", "2022-06-29", "2022-07-13", "2022-07-14", "2023-08-22"]
    days += ["2023-08-23", "2023-08-29", "2023-08-30"]
    found = series(con, [], [(v, d, 1) for d in days for v in (1, 2)], {1: "vsdb", 2: "serde_json"})
    masked = {v: [d for version, d, _, is_masked, _ in found if version == v and is_masked] for v in (1, 2)}
    everywhere = ["2022-06-29", "2022-07-13", "2023-08-23", "2023-08-29"]
    assert masked == {1: ["2021-12-10", "2022-04-10", *everywhere], 2: everywhere}
    assert len(found) == 2 * len(days)


def test_counting_method_is_null_while_it_changes(con: duckdb.DuckDBPyConnection) -> None:
    days = ["2024-02-15", "2024-02-16", "2024-02-17", "2025-10-26", "2025-10-27", "2026-01-21", "2026-01-22"]
    found = series(con, [], [(1, d, 1) for d in days], {1: "foo"})
    assert [method for *_, method in found] == [0, None, 1, 1, None, None, 2]
    assert not any(is_masked for *_, is_masked, _ in found)


def test_days_without_a_row_are_missing(con: duckdb.DuckDBPyConnection) -> None:
    series(con, [(1, "2026-08-06", 1)], [(1, "2026-08-01", 1), (1, "2026-08-04", 1)], {1: "foo"})
    missing = con.sql(MISSING_DAYS.read_text()).fetchall()
    assert [str(day) for (day,) in missing] == ["2026-08-02", "2026-08-03", "2026-08-05"]
