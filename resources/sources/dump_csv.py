"""The dump's CSV files as DuckDB views: every column as text, found by its name in the header line."""

import csv
import gzip
from pathlib import Path

import duckdb

from resources.errors import BadInput
from resources.sources.dump_layout import CsvTable

LONGEST_HEADER = 65_536  # bytes


def read_header(path: Path, table: CsvTable) -> list[str]:
    """The column names of a gzipped CSV file. Raises BadInput."""
    with gzip.open(path, "rb") as file:
        line = file.readline(LONGEST_HEADER)
    try:
        header = next(csv.reader([line.decode()]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(
            f"data/{table.name}.csv: the header line cannot be read ({error}): fetch the dump again"
        ) from error
    if not line.endswith(b"\n") or not header:
        raise BadInput(
            f"data/{table.name}.csv: no header line in the first {LONGEST_HEADER} bytes: fetch the dump again"
        )
    return header


def view_csv(con: duckdb.DuckDBPyConnection, path: Path, table: CsvTable) -> None:
    """Makes a file visible as `source_<table>`: the used columns as text, null where the layout lacks one.

    What cannot be read as a record goes to the table `unreadable` of the session.
    """
    header = read_header(path, table)
    columns = ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name in header)
    chosen = ", ".join(f'"{name}"' if name in header else f'null::varchar as "{name}"' for name in table.used)
    con.execute(
        f"""
        create or replace view source_{table.name} as
        select {chosen} from read_csv(
            {_quoted(str(path))}, columns = {{{columns}}}, header = true, auto_detect = false,
            delim = ',', quote = '"', escape = '"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false,
            max_line_size = {table.longest_record}, buffer_size = {max(4 * table.longest_record, 32_000_000)},
            compression = 'gzip', store_rejects = true, rejects_scan = 'unreadable_scans', rejects_table = 'unreadable'
        )
        """
    )


def line_ends(table: CsvTable) -> str:
    """A query for the line at which each record of `source_<table>` ends, by the text of its key."""
    newlines = " + ".join(
        f'coalesce(length("{name}") - length(replace("{name}", chr(10), \'\')), 0)' for name in table.used
    )
    key = f"concat_ws(' ', {', '.join(table.key)})"
    return (
        f"select {key} as source_key, "
        f"1 + row_number() over () + sum({newlines}) over (rows unbounded preceding) as line "
        f"from source_{table.name}"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
