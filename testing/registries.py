"""Registries in the bundled format (sample/README.md), made of any facts."""

import hashlib
import json
import shutil
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
    entries = {path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in paths}
    read_at = advisories_at or snapshot_at
    manifest = {"source": "test", "snapshot_at": snapshot_at, "advisories_at": read_at, "files": entries}
    (files / "manifest.json").write_text(json.dumps(manifest))


def from_rows(rows: dict[str, list[dict]]) -> Facts:
    """Tables of the bundled schema from rows; tables and columns left out are empty and null."""
    return {
        name: pa.Table.from_pylist(rows.get(name, []), schema=pa.schema(list(columns.items())))
        for name, columns in COLUMNS.items()
    }


def slice_of_sample(folder: Path, every: int = 100) -> None:
    """A registry of every n-th real crate by hash, with the dependencies among them: small, but of the real shape."""
    con = duckdb.connect()
    facts = {}
    for name in COLUMNS:
        con.execute(f"create view {name} as from '{SAMPLE}/registry/{name}.parquet'")
    con.execute(f"create table kept as select distinct name from versions where hash(name) % {every} = 0")
    con.execute(
        "insert into kept select distinct dependency from dependencies semi join kept using (name) "
        "where kind = 'normal' except from kept"
    )
    for name in COLUMNS:
        key = "package" if name == "advisories" else "name"
        found = con.sql(f"select * from {name} where {key} in (select name from kept) order by all").to_arrow_table()
        facts[name] = found.cast(pa.schema(list(COLUMNS[name].items())))
    dependencies = con.sql(
        "select * from dependencies where name in (from kept) and dependency in (from kept) order by all"
    ).to_arrow_table()
    facts["dependencies"] = dependencies.cast(pa.schema(list(COLUMNS["dependencies"].items())))
    texts = con.sql(f"from read_csv('{SAMPLE}/{TEXTS}') where name in (from kept) order by name")
    texts.write_csv(str(folder / TEXTS))
    write_registry(folder, facts)
