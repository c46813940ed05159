"""`crates sql`: SQL on the tables, through the catalog's views, which nothing can change."""

import csv
import sys
from typing import Literal

import duckdb
import msgspec

from cli.processes import program, replace_process
from cli.terminal import print_line, width
from resources.common.errors import BadInput
from resources.common.settings import Settings
from serving.crate_lookup import require_tables

BATCH = 1_000  # rows held at a time
UNLIMITED = 2**31 - 1


def open_shell(settings: Settings) -> None:
    """Becomes DuckDB's shell. Raises BadInput if there are no tables."""
    require_tables(settings)
    replace_process([program("duckdb"), "-readonly", str(settings.catalog)])


def run_query(settings: Settings, query: str, format_: Literal["text", "json", "csv"]) -> None:
    """Prints the rows of a query. Raises BadInput if there are no tables, or if DuckDB refuses the query."""
    require_tables(settings)
    try:
        with duckdb.connect(str(settings.catalog), read_only=True) as con:
            {"text": _print_text, "json": _print_json, "csv": _print_csv}[format_](con, query)
    except duckdb.Error as error:
        raise BadInput(str(error).partition("\n\n")[0]) from error


def _print_text(con: duckdb.DuckDBPyConnection, query: str) -> None:
    """A table as wide as the terminal; in a pipe all rows and columns."""
    rows = con.sql(query)
    if rows is None:  # a statement without rows
        return
    if sys.stdout.isatty():
        rows.show(max_width=width())
    else:
        rows.show(max_rows=UNLIMITED, max_width=UNLIMITED, max_col_width=UNLIMITED)


def _print_json(con: duckdb.DuckDBPyConnection, query: str) -> None:
    names, separator = _columns(con, query), "["
    while batch := con.fetchmany(BATCH):
        for row in batch:
            record = dict(zip(names, row, strict=True))
            print_line(f"{separator}{msgspec.json.encode(record, enc_hook=str).decode()}")
            separator = ","
    print_line("]" if separator == "," else "[]")


def _print_csv(con: duckdb.DuckDBPyConnection, query: str) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_columns(con, query))
    while batch := con.fetchmany(BATCH):
        writer.writerows(batch)


def _columns(con: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """Starts a query; returns the names of its columns."""
    con.execute(query)
    return [column[0] for column in con.description or ()]
