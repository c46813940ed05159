"""`make refresh` as a user runs it: from nothing to scores, of a registry on a server like crates.io's."""

import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from cli.refresh import plan, training_dates
from resources.common.settings import PROJECT
from resources.crates_io.dump.layout import CSV_TABLES
from resources.crates_io.dump.zip_archive import TAIL
from testing.advisory_database import adds, row, write_repository
from testing.crates_io_server import CratesIoServer, Fault
from testing.dump_of_registry import dump_of
from testing.dumps import Dump, zip_bytes

STAMP, NEXT_STAMP = "2026-11-20T02:15:07.123456Z", "2026-11-21T02:15:07.123456Z"
DUMP = "/db-dump.zip"
LOOK = 2 * TAIL + 2_000  # the end of the zip twice, and the members' headers
FETCHED = re.compile(r"([\d,]+) bytes fetched; the whole dump has ([\d,]+)")


@pytest.fixture(scope="module")
def dump(small_registry: Path) -> Dump:
    return dump_of(small_registry)


@pytest.fixture(scope="module")
def server(dump: Dump) -> Iterator[CratesIoServer]:
    # what nobody needs makes up for a third of a real dump
    noise = [{"category": "c", "crates_cnt": i, "created_at": datetime(2020, 1, 1), "id": i} for i in range(9000)]
    texts = {"description": os.urandom(40).hex(), "path": "root.c", "slug": "c"}
    dump["categories"] = [{**row, **texts, "description": os.urandom(40).hex()} for row in noise]
    with CratesIoServer({DUMP: zip_bytes(dump, "2026-08", STAMP)}) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refresh")
    advisory = row("RUSTSEC-2025-0001", "net2", informational="unmaintained")
    write_repository(folder / "advisory-db", [adds([advisory], datetime(2025, 3, 1))])
    return folder


def refresh(home: Path, url: str, **more: str) -> subprocess.CompletedProcess:
    environment = {
        **os.environ,
        "CRATES_SOURCE": "crates.io",
        "CRATES_DATA": str(home / "data"),
        "CRATES_STATIC_URL": url,
        "CRATES_ADVISORY_DB": str(home / "advisory-db"),
        "CRATES_CONTACT": "tests@example.org",
        "CRATES_THREADS": "2",
        **more,
    }
    command = [sys.executable, "-m", "cli.main", "refresh"]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def ask(home: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(home / "data" / "catalog.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def served(server: CratesIoServer) -> bytes:
    content = server.files[DUMP]
    assert isinstance(content, bytes)
    return content


def needed(dump: bytes, *tables: str) -> int:
    """The bytes of these tables in a zip, or of all that are used."""
    with zipfile.ZipFile(io.BytesIO(dump)) as archive:
        return sum(archive.getinfo(f"data/{table}.csv").compress_size for table in tables or CSV_TABLES)


def fetched(printed: str) -> tuple[int, int]:
    found = FETCHED.search(printed)
    assert found, printed
    some, whole = (int(number.replace(",", "")) for number in found.groups())
    return some, whole


def test_without_a_contact_nothing_is_asked(home: Path, server: CratesIoServer) -> None:
    done = refresh(home, server.url, CRATES_CONTACT="")
    assert done.returncode == 1
    assert "set CRATES_CONTACT to your e-mail address or web page" in done.stderr
    assert server.requests == []


def test_from_nothing_to_scores(home: Path, server: CratesIoServer, dump: Dump) -> None:
    """A connection that is cut in the middle of a table does not stop it, nor does it cost much."""
    server.faults[DUMP] = [Fault(), Fault(), Fault(), Fault(), Fault(disconnect_after=5000)]
    done = refresh(home, server.url)
    assert done.returncode == 0, done.stdout + done.stderr
    some, whole = fetched(done.stdout)
    assert whole == len(served(server))
    assert needed(served(server)) < some < needed(served(server)) + LOOK
    assert needed(served(server)) < 0.8 * whole
    assert server.bytes_sent(DUMP) < some + LOOK
    agents = {request.headers["User-Agent"] for request in server.requests}
    assert agents == {"rust-crate-pipeline/0.1 (tests@example.org)"}
    counted = "select (select count(*) from crates), (select count(*) from versions), (select count(*) from scores)"
    assert ask(home, counted) == [(len(dump["crates"]), len(dump["versions"]), len(dump["crates"]))]
    assert ask(home, "select distinct as_of::varchar from scores") == [("2026-11-20",)]
    assert ask(home, "select count(*) > 20, count(*) filter (maintenance is null) from scores") == [(True, 0)]
    assert ask(home, "select snapshot::varchar, fetched_bytes = $$ from snapshots".replace("$$", str(some))) == [
        ("2026-11-20", True)
    ]
    assert ask(home, "select snapshot::varchar, source_bytes = own_bytes, table_bytes > 0 from retained_snapshots") == [
        ("2026-11-20", True, True)
    ]


def test_again_fetches_only_a_look(home: Path, server: CratesIoServer) -> None:
    before = len(server.requests)
    done = refresh(home, server.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(request.bytes_sent for request in server.requests[before:]) < LOOK
    assert "train_predictor" not in done.stdout


def test_next_dump_brings_what_changed(home: Path, server: CratesIoServer, dump: Dump) -> None:
    """A day later one crate has a new version: its versions come, the other tables are here."""
    newest = max(dump["versions"], key=lambda v: v["id"])
    at = datetime(2026, 11, 20, 12)
    version = {**newest, "id": newest["id"] + 1, "num": "9999.0.0", "num_no_build": "9999.0.0", "created_at": at}
    later = {**dump, "versions": [*dump["versions"], {**version, "updated_at": at, "yanked": False}]}
    server.files[DUMP] = zip_bytes(later, "2026-08", NEXT_STAMP)
    done = refresh(home, server.url)
    assert done.returncode == 0, done.stdout + done.stderr
    some, _ = fetched(done.stdout)
    assert some < needed(served(server), "versions") + LOOK
    assert "data/dependencies.csv did not change since an earlier snapshot and is not fetched" in done.stdout
    assert ask(home, "select count(*) from versions where num = '9999.0.0'") == [(1,)]
    kept = ask(home, "select snapshot::varchar, own_bytes < source_bytes from retained_snapshots order by all")
    assert kept == [("2026-11-20", False), ("2026-11-21", True)]
    name = next(c["name"] for c in dump["crates"] if c["id"] == newest["crate_id"])
    assert ask(home, f"select as_of::varchar, default_version from scores where name = '{name}'") == [
        ("2026-11-21", "9999.0.0")
    ]


def test_older_dump_is_refused_and_the_newest_snapshot_stays(home: Path, server: CratesIoServer, dump: Dump) -> None:
    before = ask(home, "select * from scores order by crate")
    server.files[DUMP] = zip_bytes(dump, "2026-08", STAMP)
    done = refresh(home, server.url)
    assert done.returncode == 1
    assert "older than the newest here" in done.stderr
    assert ask(home, "select * from scores order by crate") == before


def test_server_that_is_down_is_told(home: Path, server: CratesIoServer) -> None:
    server.faults[DUMP] = [Fault(status=503)] * 5
    done = refresh(home, server.url)
    assert done.returncode == 1
    assert "try again later" in done.stdout


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
