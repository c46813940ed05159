"""Writes a SIMULATED crates.io database dump with today's size and shape, for load tests only.

usage: python -m benchmarks.simulated_dump --scale 0.1 OUT.zip

Its crates are those of the bundled registry and renamed copies of them; downloads, users and texts are invented.
Scale 1.0 has 275,000 crates, 3 M versions, 30 M dependencies and 100 M days of downloads. The same scale gives the same
bytes.
"""

import argparse
import json
import resource
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import duckdb

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "sample"
CRATES, VERSIONS, DEPENDENCIES, DOWNLOADS = 275_000, 3_000_000, 30_000_000, 100_000_000
MEGABYTE_READMES = 5
DAYS = 90
# tables written in parts: the table that is counted, and its rows per part; version_downloads has one part per day
PARTS = {"crates": ("crates", 25_000), "versions": ("versions", 250_000), "dependencies": ("versions", 250_000)}
DUMPED_AT = (2026, 11, 20, 2, 15, 8)
# in the order of the real dump
TABLES = (
    *("categories", "crate_downloads", "crates", "keywords", "metadata", "oauth_github", "reserved_crate_names"),
    *("reserved_usernames", "teams", "users", "crates_categories", "crates_keywords", "crate_owners"),
    *("deleted_crates", "versions", "default_versions", "dependencies", "version_downloads"),
)
CSV = "format csv, delimiter ',', quote '\"', escape '\"', nullstr ''"
TEXTS = {
    "README.md": (
        "# SIMULATED dump, for load tests only\n\n"
        "Copies of a small registry; downloads, users and texts are invented. Draw no conclusions.\n"
    ),
    "export.sql": "-- simulated dump: nothing was exported\n",
    "import.sql": "-- simulated dump: not meant to be imported\n",
    "metadata.json": json.dumps({"timestamp": "2026-11-20T02:15:07.123456789Z", "crates_io_commit": "unknown"}),
    "schema.sql": "-- simulated dump: the columns are in the headers of data/*.csv\n",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, required=True, help="share of the current registry's size")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    write_dump(arguments.scale, arguments.out)


def write_dump(scale: float, out: Path) -> dict[str, int]:
    """Writes the dump to `out`; returns the rows per table. Temporary files beside it take about 100 MB at a time."""
    started = time.monotonic()
    with TemporaryDirectory(dir=out.parent, prefix="simulated-") as folder, open_scratch(Path(folder)) as con:
        build_facts(con, scale)
        print(f"facts: {time.monotonic() - started:.0f} s", flush=True)
        unfinished = Path(folder) / out.name
        with zipfile.ZipFile(unfinished, "w") as archive, ThreadPoolExecutor(1) as deflater:
            for name, text in TEXTS.items():
                archive.writestr(member(name), text)
            archive.writestr(member("data/"), "")
            rows = {table: write_table(con, table, archive, deflater, Path(folder)) for table in TABLES}
        unfinished.replace(out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{out}: {out.stat().st_size:,} bytes, {time.monotonic() - started:.0f} s, peak memory {peak:.1f} GB")
    return rows


def open_scratch(folder: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory database that spills to `folder`, with the bundled registry as views `sample_*`."""
    con = duckdb.connect()
    con.execute(
        f"set memory_limit = '4GB'; set temp_directory = '{folder}/spilled'; set max_temp_directory_size = '20GB'"
    )
    for table in ("versions", "yanks", "dependencies"):
        con.execute(f"create view sample_{table} as from read_parquet('{SAMPLE / 'registry' / table}.parquet')")
    con.execute(f"create view sample_descriptions as from read_csv('{SAMPLE / 'descriptions.csv'}')")
    return con


def build_facts(con: duckdb.DuckDBPyConnection, scale: float) -> None:
    wanted = {"crates": CRATES, "versions": VERSIONS, "dependencies": DEPENDENCIES, "downloads": DOWNLOADS}
    for name, count in wanted.items():
        con.execute(f"set variable {name} = {round(count * scale)}")
    con.execute(f"set variable megabyte_readmes = {ceil(MEGABYTE_READMES * scale)}")
    for table, (_, size) in PARTS.items():
        con.execute(f"set variable {table}_per_part = {size}")
    for kind in ("facts", "texts", "tables"):
        con.execute((HERE / f"simulated_dump_{kind}.sql").read_text())


def parts_of(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """The number of parts in which a table is written."""
    if table == "version_downloads":
        return DAYS
    if table not in PARTS:
        return 1
    counted, size = PARTS[table]
    return ceil(con.table(counted).shape[0] / size)


def write_table(
    con: duckdb.DuckDBPyConnection,
    table: str,
    archive: zipfile.ZipFile,
    deflater: ThreadPoolExecutor,
    folder: Path,
) -> int:
    """Writes one member of the zip: a part is compressed while the next one is written. Returns the number of rows."""
    started, rows, size = time.monotonic(), 0, 0
    with archive.open(member(f"data/{table}.csv"), "w", force_zip64=True) as stream:
        pending: Future[int] | None = None
        for part in range(parts_of(con, table)):
            path = folder / f"{table}-{part}.csv"
            header = "true" if part == 0 else "false"
            query = f"copy (from {table}_csv({part})) to '{path}' ({CSV}, header {header})"
            rows += con.execute(query).fetchall()[0][0]
            size += pending.result() if pending else 0
            pending = deflater.submit(deflate, path, stream)
        size += pending.result() if pending else 0
    print(f"{table:<22} {rows:>12,} rows {size:>14,} bytes {time.monotonic() - started:6.1f} s", flush=True)
    return rows


def deflate(path: Path, stream: IO[bytes]) -> int:
    """Appends a file to the member of the zip and removes it. Returns its size in bytes."""
    size = 0
    with path.open("rb") as file:
        for block in blocks(file):
            size += stream.write(block)
    path.unlink()
    return size


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(2**20):
        yield block


def member(name: str) -> zipfile.ZipInfo:
    """A compressed member with the dump's time, so that the same CSV files give the same zip."""
    info = zipfile.ZipInfo(name, DUMPED_AT)
    info.compress_type = zipfile.ZIP_STORED if name.endswith("/") else zipfile.ZIP_DEFLATED
    return info


if __name__ == "__main__":
    main()
