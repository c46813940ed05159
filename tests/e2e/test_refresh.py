"""`crates refresh` as a user runs it: from nothing to scores, of a registry on a server like crates.io's."""

import io
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from cli.refresh import plan, training_dates
from resources.common.settings import PROJECT
from resources.crates_io.dump.layout import CSV_TABLES
from resources.crates_io.dump.zip_archive import TAIL_BYTES
from testing.advisory_database import adds, row, write_repository
from testing.crates_io_server import CratesIoServer, Fault, Request
from testing.demo_run import CRATES
from testing.dump_of_registry import dump_of
from testing.dumps import Dump, zip_bytes

STAMP, NEXT_STAMP = "2026-11-20T02:15:07.123456Z", "2026-11-21T02:15:07.123456Z"
TODAY, TOMORROW = date(2026, 11, 20), date(2026, 11, 21)
TABLES = ("crates", "versions", "scores", "snapshots", "retained_snapshots")
DUMP = "/db-dump.zip"
LOOK = 2 * TAIL_BYTES + 2_000  # the end of the zip twice, and the members' headers
FETCHED = re.compile(r"([\d,]+) bytes fetched; the whole dump has ([\d,]+)")


@pytest.fixture(scope="module")
def dump(small_registry: Path) -> Dump:
    """The small registry as a dump. A third of its bytes are in a table that is not used, as in a real one."""
    made = dump_of(small_registry)
    noise = [{"category": "c", "crates_cnt": i, "created_at": datetime(2020, 1, 1), "id": i} for i in range(9000)]
    made["categories"] = [{**row, "description": os.urandom(40).hex(), "path": "root.c", "slug": "c"} for row in noise]
    return made


@pytest.fixture(scope="module")
def server(dump: Dump) -> Iterator[CratesIoServer]:
    with CratesIoServer({DUMP: zip_bytes(dump, "2026-08", STAMP)}) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refresh")
    advisory = row("RUSTSEC-2025-0001", "net2", informational="unmaintained")
    write_repository(folder / "advisory-db", [adds([advisory], datetime(2025, 3, 1))])
    return folder


@dataclass(frozen=True)
class Refreshed:
    """A finished `crates refresh`: its output, its requests to the server, and the tables afterwards."""

    output: str
    errors: str
    exit_code: int
    requests: list[Request]
    dump: bytes  # as served meanwhile
    tables: dict[str, list[dict]]

    @property
    def fetched(self) -> tuple[int, int]:
        """The bytes that it reports as fetched, and the bytes of the whole dump."""
        found = FETCHED.search(self.output)
        assert found, self.output
        some, whole = (int(number.replace(",", "")) for number in found.groups())
        return some, whole

    @property
    def received(self) -> int:
        """The bytes that the server sent."""
        return sum(request.bytes_sent for request in self.requests)

    def used(self, *tables: str) -> int:
        """The bytes of these tables in the dump, or of all that are used."""
        with zipfile.ZipFile(io.BytesIO(self.dump)) as archive:
            return sum(archive.getinfo(f"data/{table}.csv").compress_size for table in tables or CSV_TABLES)


def refresh(home: Path, server: CratesIoServer, **environment: str) -> Refreshed:
    before = len(server.requests)
    done = subprocess.run(
        [*CRATES, "refresh"],
        cwd=PROJECT,
        env={
            **os.environ,
            "CRATES_DATA": str(home / "data"),
            "CRATES_STATIC_URL": server.url,
            "CRATES_ADVISORY_DB": str(home / "advisory-db"),
            "CRATES_CONTACT": "tests@example.org",
            "CRATES_THREADS": "2",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    dump = server.files[DUMP]
    assert isinstance(dump, bytes)
    tables: dict[str, list[dict]] = {}
    if (home / "data" / "catalog.duckdb").exists():
        with duckdb.connect(str(home / "data" / "catalog.duckdb"), read_only=True) as con:
            tables = {table: con.sql(f"from {table} order by all").to_arrow_table().to_pylist() for table in TABLES}
    return Refreshed(done.stdout, done.stderr, done.returncode, server.requests[before:], dump, tables)


@pytest.fixture(scope="module")
def without_contact(home: Path, server: CratesIoServer) -> Refreshed:
    return refresh(home, server, CRATES_CONTACT="")


@pytest.fixture(scope="module")
def first(home: Path, server: CratesIoServer, without_contact: Refreshed) -> Refreshed:
    """From nothing, with a connection that is cut in the middle of a table."""
    server.faults[DUMP] = [Fault(), Fault(), Fault(), Fault(), Fault(disconnect_after=5000)]
    return refresh(home, server)


@pytest.fixture(scope="module")
def unchanged(home: Path, server: CratesIoServer, first: Refreshed) -> Refreshed:
    """The same dump a second time."""
    return refresh(home, server)


@pytest.fixture(scope="module")
def next_day(home: Path, server: CratesIoServer, dump: Dump, unchanged: Refreshed) -> Refreshed:
    """A day later: one crate has a new version."""
    newest = max(dump["versions"], key=lambda v: v["id"])
    at = datetime(2026, 11, 20, 12)
    version = {**newest, "id": newest["id"] + 1, "num": "9999.0.0", "num_no_build": "9999.0.0", "created_at": at}
    later = {**dump, "versions": [*dump["versions"], {**version, "updated_at": at, "yanked": False}]}
    server.files[DUMP] = zip_bytes(later, "2026-08", NEXT_STAMP)
    return refresh(home, server)


@pytest.fixture(scope="module")
def older(home: Path, server: CratesIoServer, dump: Dump, next_day: Refreshed) -> Refreshed:
    """The server goes back to the dump of the day before."""
    server.files[DUMP] = zip_bytes(dump, "2026-08", STAMP)
    return refresh(home, server)


@pytest.fixture(scope="module")
def unavailable(home: Path, server: CratesIoServer, older: Refreshed) -> Refreshed:
    """The server answers 503."""
    server.faults[DUMP] = [Fault(status=503, retry_after="1")] * 5
    return refresh(home, server)


def test_without_a_contact_nothing_is_requested(without_contact: Refreshed) -> None:
    assert without_contact.exit_code == 1
    assert "set CRATES_CONTACT to your e-mail address or web page" in without_contact.errors
    assert without_contact.requests == []


def test_first_refresh_goes_from_nothing_to_scores(first: Refreshed, dump: Dump) -> None:
    assert first.exit_code == 0, first.output + first.errors
    counts = {table: len(first.tables[table]) for table in ("crates", "versions", "scores")}
    assert counts == {"crates": len(dump["crates"]), "versions": len(dump["versions"]), "scores": len(dump["crates"])}
    assert {row["as_of"] for row in first.tables["scores"]} == {TODAY}
    assert [row["crate"] for row in first.tables["scores"] if row["maintenance"] is None] == []
    (retained,) = first.tables["retained_snapshots"]
    assert (retained["snapshot"], retained["own_bytes"]) == (TODAY, retained["source_bytes"])
    assert retained["table_bytes"] > 0


def test_only_the_used_tables_are_fetched_in_spite_of_a_disconnect(first: Refreshed) -> None:
    some, whole = first.fetched
    assert whole == len(first.dump)
    assert first.used() < 0.8 * whole
    assert first.used() < some < first.used() + LOOK
    assert first.received < some + LOOK
    assert [(row["snapshot"], row["fetched_bytes"]) for row in first.tables["snapshots"]] == [(TODAY, some)]
    agents = {request.headers["User-Agent"] for request in first.requests}
    assert agents == {"rust-crate-pipeline/0.1 (tests@example.org)"}


def test_unchanged_dump_is_not_fetched_again(unchanged: Refreshed) -> None:
    assert unchanged.exit_code == 0, unchanged.output + unchanged.errors
    assert 0 < unchanged.received < LOOK
    assert "train_predictor" not in unchanged.output


def test_next_dump_is_fetched_where_it_changed(next_day: Refreshed, dump: Dump) -> None:
    assert next_day.exit_code == 0, next_day.output + next_day.errors
    some, _ = next_day.fetched
    assert some < next_day.used("versions") + LOOK
    assert "data/dependencies.csv has not changed since an earlier snapshot and is not fetched" in next_day.output
    assert [row["num"] for row in next_day.tables["versions"]].count("9999.0.0") == 1
    retained = {
        row["snapshot"]: row["own_bytes"] < row["source_bytes"] for row in next_day.tables["retained_snapshots"]
    }
    assert retained == {TODAY: False, TOMORROW: True}
    newest = max(dump["versions"], key=lambda v: v["id"])
    name = next(c["name"] for c in dump["crates"] if c["id"] == newest["crate_id"])
    scored = [(row["as_of"], row["default_version"]) for row in next_day.tables["scores"] if row["name"] == name]
    assert scored == [(TOMORROW, "9999.0.0")]


def test_older_dump_is_rejected_and_the_scores_are_unchanged(next_day: Refreshed, older: Refreshed) -> None:
    assert older.exit_code == 1
    assert "older than the newest snapshot" in older.errors
    assert older.tables["scores"] == next_day.tables["scores"]


def test_unavailable_server_is_reported(older: Refreshed, unavailable: Refreshed) -> None:
    assert unavailable.exit_code == 1
    assert "try again later" in unavailable.errors
    assert unavailable.tables["scores"] == older.tables["scores"]


def test_plan_trains_at_first_and_after_a_week() -> None:
    newest = date(2026, 11, 20)
    assert training_dates(newest) == [newest - timedelta(days=days) for days in (501, 365, 232, 116, 43)]
    jobs = [job for job, _ in plan("2026-11-20", None)]
    assert jobs == [
        "load_snapshot",
        *["compute_features"] * 5,
        "train_predictor",
        "compute_features",
        "score_crates",
        "prune_snapshots",
    ]
    assert "train_predictor" not in [job for job, _ in plan("2026-11-20", date(2026, 11, 13))]
    assert "train_predictor" in [job for job, _ in plan("2026-11-20", date(2026, 11, 12))]
