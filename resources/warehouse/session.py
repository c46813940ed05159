"""DuckDB sessions: in memory, with limits and Cargo's version rules as macros. Assets never write a database file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from resources.warehouse.table_store import TableStore

if TYPE_CHECKING:
    import pyarrow as pa

# macros for versions, and for requirements, which use them
CARGO = [Path(__file__).parents[1] / "cargo" / name for name in ("macros.sql", "requirement_bounds.sql")]


@dataclass(frozen=True)
class Sessions:
    """Opens DuckDB sessions with a memory limit (`memory`, such as 3GB) that spill to the folder `scratch`."""

    scratch: str
    memory: str
    threads: int

    def open(self) -> duckdb.DuckDBPyConnection:
        """A new session, which the caller closes."""
        con = duckdb.connect(config={"memory_limit": self.memory, "threads": self.threads})
        con.execute(f"set temp_directory = '{_quoted(self.scratch)}'")
        for path in CARGO:
            con.execute(path.read_text())
        return con


def _quoted(text: str | Path) -> str:
    return str(text).replace("'", "''")


def set_variables(con: duckdb.DuckDBPyConnection, **values: object) -> None:
    """Sets the SQL variables that `.sql` files read with `getvariable`."""
    for name, value in values.items():
        con.execute(f"set variable {name} = $value", {"value": value})


def view(con: duckdb.DuckDBPyConnection, store: TableStore, table: str, key: str | list[str]) -> None:
    """Creates a view of a published table under its name, over one partition or several."""
    keys = [key] if isinstance(key, str) else key
    view_files(con, table, [store.require(table, k).path for k in keys])


def view_files(con: duckdb.DuckDBPyConnection, name: str, paths: list[Path]) -> None:
    """Creates a view of Parquet files."""
    files = ", ".join(f"'{_quoted(path)}'" for path in paths)
    con.execute(f"create or replace view {name} as from read_parquet([{files}], hive_partitioning = false)")


def first_row(con: duckdb.DuckDBPyConnection, query: str, values: dict[str, object] | None = None) -> tuple | None:
    """The first row of a query, or None. (`fetchone` would leave the result open.)"""
    rows = con.execute(query, values or {}).fetchall()
    return rows[0] if rows else None


def run_script(con: duckdb.DuckDBPyConnection, path: Path) -> "pa.Table":
    """Runs the statements of a `.sql` file; returns the rows of the last one, a query."""
    *before, last = con.extract_statements(path.read_text())
    for statement in before:
        con.execute(statement)
    return con.sql(last.query).to_arrow_table()
