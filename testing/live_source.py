"""An installation on a crates.io dump, and its tables built without Dagster."""

import csv
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from assets.table_asset import Tools
from resources.common.settings import Settings
from resources.crates_io.dump.registry import CratesIoDump
from resources.registry.snapshot_archive import SnapshotArchive
from testing.dumps import SMALL_AT
from testing.table_builds import build, sources_tools

KEY = SMALL_AT[:10]
NEXT_AT, NEXT_KEY = SMALL_AT.replace("11-20", "11-21"), "2026-11-21"
# in the order in which they refer to each other
TABLES = ("crates", "versions", "yanks", "dependencies", "owners", "downloads", "advisories", "texts")

# the bytes of every partition: (table, key) to sha256
State = dict[tuple[str, str], str]


def live_tools(data: Path, dump: str | Path, advisory_db: Path, **settings: object) -> Tools:
    """The tools of an installation in `data` that reads `dump`, a path or an address."""
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
    return sources_tools(replace(live, **settings))


def source_of(tools: Tools) -> CratesIoDump:
    assert isinstance(tools.source, CratesIoDump)
    return tools.source


def archive_of(tools: Tools) -> SnapshotArchive:
    """The snapshots that were fetched."""
    return source_of(tools).archive


def silent(line: str) -> None:
    """What takes no interest in progress."""


def load(tools: Tools, key: str = KEY, tables: Iterable[str] = (*TABLES, "quarantine")) -> State:
    """Fetches a snapshot and builds its tables; returns what stands then."""
    for table in ("snapshots", *tables):
        built = build(table, key, tools)
        assert built.published, [outcome.words for outcome in built.outcomes if not outcome.passed]
    return state(tools)


def state(tools: Tools) -> State:
    """The bytes of every table that is served, but for `snapshots`, which says what was read last."""
    tables = tools.store.tables()
    return {(t, p.key): p.sha256 for t, partitions in tables.items() if t != "snapshots" for p in partitions}


def rows(tools: Tools, table: str, key: str = KEY) -> list[dict]:
    """The rows of a published table."""
    return pq.read_table(tools.store.need(table, key).path).to_pylist()


def pack(tables: dict[str, bytes], timestamp: str = SMALL_AT) -> bytes:
    """A dump's zip of CSV files, whatever is in them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"timestamp": timestamp}))
        for table, content in tables.items():
            archive.writestr(f"data/{table}.csv", content)
    return out.getvalue()


def line_ends(content: bytes, record: list[str]) -> list[int]:
    """The lines, from 1, at which the records that have all of these fields end: by Python's own CSV reader."""
    lines = csv.reader(line + "\n" for line in content.decode(errors="replace").split("\n"))
    return [lines.line_num for found in lines if set(record) <= set(found)]
