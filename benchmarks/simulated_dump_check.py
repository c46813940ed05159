"""Checks a simulated dump: keys, references, NULL and '', text formats, times, and statistics of its graph.

usage: python -m benchmarks.simulated_dump_check DUMP.zip

Needs disk space for the unpacked dump beside it. The exit status is 1 if a check fails.
"""

import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.simulated_dump import TABLES

READ = (
    "header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
    "allow_quoted_nulls = false, max_line_size = 33_554_432"
)


def main(dump: Path) -> None:
    with TemporaryDirectory(dir=dump.parent, prefix="check-") as folder, duckdb.connect() as con:
        con.execute(
            f"set memory_limit = '4GB'; set temp_directory = '{folder}/spilled'; set max_temp_directory_size = '20GB'"
        )
        with zipfile.ZipFile(dump) as archive:
            archive.extractall(folder, [f"data/{table}.csv" for table in TABLES])
        unsorted = [table for table in TABLES if not attach(con, table, f"{folder}/data/{table}.csv")]
        print(f"tables whose columns are not in alphabetical order: {unsorted}", flush=True)
        failures = run_checks(con, Path(__file__).with_suffix(".sql").read_text())
    sys.exit(1 if failures or unsorted else 0)


def attach(con: duckdb.DuckDBPyConnection, table: str, path: str) -> bool:
    """Creates a view of a file; returns whether its columns are in alphabetical order."""
    con.execute(f"create view {table} as from read_csv('{path}', {READ})")
    columns = con.table(table).columns
    return columns == sorted(columns)


def run_checks(con: duckdb.DuckDBPyConnection, script: str) -> int:
    """Prints the value of each check; returns the number of failures."""
    failures = 0
    for statement in con.extract_statements(script):
        rows = con.execute(statement).fetchall()
        if statement.type != duckdb.StatementType.SELECT:
            continue
        name, value, expected = rows[0]
        failures += expected is not None and value != expected
        print(f"{name:<60} {value:>14,}" + ("" if expected in (None, value) else f", not {expected:,}"), flush=True)
    return failures


if __name__ == "__main__":
    main(Path(sys.argv[1]))
