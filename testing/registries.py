"""Registries in the bundled format (sample/README.md), made of any facts."""

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from resources.common.settings import PROJECT
from resources.registry.bundled_registry import TEXTS
from resources.registry.columns import COLUMNS

SAMPLE = PROJECT / "sample"
SNAPSHOT_AT = "2020-07-20T04:14:39"

Facts = dict[str, pa.Table]


def read_facts(folder: Path) -> Facts:
    """The four tables of a registry."""
    return {name: pq.read_table(folder / "registry" / f"{name}.parquet") for name in COLUMNS}


def write_registry(
    folder: Path, facts: Facts, snapshot_at: str = SNAPSHOT_AT, advisories_at: str | None = None
) -> None:
    """Writes facts as a registry, with a manifest that fits them. Advisories were read with the snapshot, or later."""
    files = folder / "registry"
    files.mkdir(parents=True, exist_ok=True)
    for name, table in facts.items():
        pq.write_table(table, files / f"{name}.parquet")
    if not (folder / TEXTS).exists():
        shutil.copy(SAMPLE / TEXTS, folder / TEXTS)
    write_manifest(folder, snapshot_at, advisories_at)


def write_manifest(folder: Path, snapshot_at: str = SNAPSHOT_AT, advisories_at: str | None = None) -> None:
    """Writes the manifest of whatever the files hold now."""
    files = folder / "registry"
    paths = [*(files / f"{name}.parquet" for name in COLUMNS), folder / TEXTS]
    read_at = advisories_at or snapshot_at
    manifest = {"source": "test", "snapshot_at": snapshot_at, "advisories_at": read_at, "files": _hashes(paths)}
    (files / "manifest.json").write_text(json.dumps(manifest))


def _hashes(paths: Iterable[Path]) -> dict[str, dict[str, str]]:
    """The manifest's entry for each file."""
    return {path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in paths}


def from_rows(rows: dict[str, list[dict]]) -> Facts:
    """Tables of the bundled schema from rows; tables and columns left out are empty and null."""
    return {
        name: pa.Table.from_pylist(rows.get(name, []), schema=pa.schema(list(columns.items())))
        for name, columns in COLUMNS.items()
    }


def draw_registry(source: Path, folder: Path, one_in: int, without: str | None = None) -> None:
    """Writes a small registry of real crates: every `one_in`-th of a bundled one (by a hash of its name), and all that
    these build on. `without` is a crate that none of them may build on.

    It is closed: what a crate needs for a normal build or in its build script, optional or not, is there too. All rows
    of its crates are there, except for test dependencies on crates that are not. Dependencies on crates that `source`
    lacks are there as well. Tables and columns are those of `source`; the same source gives the same bytes.

    Most crates build on a core of popular crates that build on each other in some version, so that it is all there or,
    without one of them, absent: serde, rand, log and hyper belong to it. It has most versions and dependencies.
    """
    files = sorted((source / "registry").glob("*.parquet"))
    with duckdb.connect() as con:
        for path in files:
            con.execute(f"create view {path.stem} as from read_parquet('{path}', file_row_number = true)")
        con.execute("""
            create table edges as
            select distinct d.name, d.dependency
            from dependencies as d
            semi join versions as v on v.name = d.dependency
            where d.kind in ('normal', 'build')
        """)
        con.execute(
            """
            create table drawn as
            with recursive excluded(name) as (
                select name from versions where name = $without
                union
                select e.name from edges as e join excluded as x on x.name = e.dependency
            ),
            closed(name) as (
                select name from versions where md5_number_lower(name) % $one_in = 0 and name not in (from excluded)
                union
                select e.dependency from edges as e join closed using (name)
            )
            select name from closed
            """,
            {"one_in": one_in, "without": without},
        )
        (folder / "registry").mkdir(parents=True, exist_ok=True)
        for path in files:
            _draw_table(con, path, folder / "registry" / path.name)
        texts = con.sql(f"from read_csv('{source / TEXTS}') semi join drawn using (name) order by name")
        texts.write_csv(str(folder / TEXTS))
    manifest = json.loads((source / "registry" / "manifest.json").read_text())
    written = (folder / TEXTS if name == TEXTS else folder / "registry" / name for name in manifest["files"])
    (folder / "registry" / "manifest.json").write_text(json.dumps({**manifest, "files": _hashes(written)}))


def _draw_table(con: duckdb.DuckDBPyConnection, path: Path, to: Path) -> None:
    """The rows of one table that are about drawn crates, in the order of the source."""
    schema = pq.read_schema(path)
    crate = "package" if "package" in schema.names else "name"
    is_drawn = f"{crate} in (from drawn)"
    if "dependency" in schema.names:
        is_drawn += " and (dependency in (from drawn) or dependency not in (select name from versions))"
    rows = con.sql(
        f"select * exclude (file_row_number) from {path.stem} where {is_drawn} order by file_row_number"
    ).to_arrow_table()
    pq.write_table(rows.cast(schema), to)
