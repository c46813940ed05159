"""Expired snapshots are removed from disk and warehouse; the table reports the disk usage of the others."""

from datetime import datetime
from pathlib import Path

import pytest

from assets.registry.retained_snapshots import SNAPSHOT_TABLES
from testing.advisory_database import adds, row, write_repository
from testing.dumps import SMALL_AT, small_dump, zip_bytes
from testing.live_source import archive_of, live_resources, load
from testing.table_builds import build

DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")


@pytest.fixture
def advisory_db(tmp_path: Path) -> Path:
    return write_repository(tmp_path / "db", [adds([row("RUSTSEC-2021-0001", "alder")], datetime(2021, 2, 1))])


def test_newest_and_first_of_the_month_are_retained(tmp_path: Path, advisory_db: Path) -> None:
    dump = tmp_path / "dump.zip"
    resources = live_resources(tmp_path / "data", dump, advisory_db, keep_snapshots=1)
    facts = small_dump()
    for day in DAYS:
        facts["versions"][0]["downloads"] += 1  # one table changes every day
        dump.write_bytes(zip_bytes(facts, "2026-08", SMALL_AT.replace("2026-11-20", day)))
        load(resources, day)
    built = build("retained_snapshots", "latest", resources)
    retained = {str(row["snapshot"]): row for row in built.rows.to_pylist()}
    assert list(retained) == ["2026-11-18", "2026-11-20"]
    first, newest = retained.values()
    assert first["source_bytes"] == first["own_bytes"]
    # the newest shares all files but versions.csv with an earlier snapshot
    assert 0 < newest["own_bytes"] < newest["source_bytes"] / 2
    assert built.context.metrics["removed"] == 1
    assert float(built.context.metrics["freed_bytes"]) > 0
    for table in SNAPSHOT_TABLES:
        assert "2026-11-19" not in resources.store.partitions(table), table
    assert resources.store.partitions("versions") == ["2026-11-18", "2026-11-20"]
    objects = {path.name for path in archive_of(resources).objects.iterdir()}
    assert objects == {f.object for day in retained for f in archive_of(resources).require(day).files.values()}
    # a retained snapshot can still be read
    assert archive_of(resources).require("2026-11-18").taken_at.startswith("2026-11-18")
    resources.source.attach(resources.sessions.open(), "2026-11-18", "versions")
