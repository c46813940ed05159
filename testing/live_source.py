"""An installation with a crates.io dump as its source, and its tables built without Dagster."""

import csv
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from pipeline_defs.build import Resources
from resources.common.settings import Settings
from resources.crates_io.dump.source import CratesIoDump
from resources.registry.snapshot_archive import SnapshotArchive
from testing.dumps import SMALL_AT
from testing.table_builds import build, resources_of

KEY = SMALL_AT[:10]
NEXT_AT, NEXT_KEY = SMALL_AT.replace("11-20", "11-21"), "2026-11-21"
# in the order of their references
TABLES = ("crates", "versions", "yanks", "dependencies", "owners", "downloads", "advisories", "texts")

# the bytes of every partition: (table, key) to sha256
State = dict[tuple[str, str], str]


def live_resources(data: Path, dump: str | Path, advisory_db: Path, **settings: object) -> Resources:
    """The resources of an installation in `data` that reads `dump`, a path or a URL."""
    live = replace(
        Settings.from_env(),
        data=data,
        source="crates.io",
        dump=str(dump),
        contact="tests@example.org",
        advisory_db=str(advisory_db),
        history_days=0,
        threads=2,
        memory="1GB",
    )
    return resources_of(replace(live, **settings))


def source_of(resources: Resources) -> CratesIoDump:
    assert isinstance(resources.source, CratesIoDump)
    return resources.source


def archive_of(resources: Resources) -> SnapshotArchive:
    """The archive of the fetched snapshots."""
    return source_of(resources).archive


def silent(line: str) -> None:
    """A log callback that does nothing."""


def load(resources: Resources, key: str = KEY, tables: Iterable[str] = (*TABLES, "quarantine")) -> State:
    """Fetches a snapshot, builds its tables and returns the state."""
    for table in ("snapshots", *tables):
        built = build(table, key, resources)
        assert built.published, [outcome.message for outcome in built.outcomes if not outcome.passed]
    return state(resources)


def state(resources: Resources) -> State:
    """The hashes of all tables except `snapshots`, which has the time of the last read."""
    tables = resources.store.tables()
    return {(t, p.key): p.sha256 for t, partitions in tables.items() if t != "snapshots" for p in partitions}


def rows(resources: Resources, table: str, key: str = KEY) -> list[dict]:
    """The rows of a published table."""
    return pq.read_table(resources.store.require(table, key).path).to_pylist()


def pack(tables: dict[str, bytes], timestamp: str = SMALL_AT) -> bytes:
    """A dump's zip with these CSV files, valid or not."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"timestamp": timestamp}))
        for table, content in tables.items():
            archive.writestr(f"data/{table}.csv", content)
    return out.getvalue()


def line_ends(content: bytes, record: list[str]) -> list[int]:
    """The lines (from 1) where the records with all of these fields end, by Python's csv module."""
    lines = csv.reader(line + "\n" for line in content.decode(errors="replace").split("\n"))
    return [lines.line_num for found in lines if set(record) <= set(found)]
