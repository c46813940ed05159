"""The dump's CSV files as DuckDB views: every column as text, found by its name in the header line."""

import csv
import gzip
import re
from pathlib import Path

import duckdb

from resources.common.errors import BadInput
from resources.crates_io.dump.layout import CsvTable
from resources.crates_io.dump.members import CHUNK
from resources.warehouse.session import first_row

LONGEST_HEADER = 65_536  # bytes
LEAST_BUFFER = 32_000_000  # bytes, of which DuckDB needs several times the longest record
NOT_UTF_8 = "the record is not UTF-8"
WHY_UNREAD = {
    "MISSING COLUMNS": "the record has fewer columns than the header",
    "TOO MANY COLUMNS": "the record has more columns than the header",
    "UNQUOTED VALUE": "the record has a quote inside a field",
    "INVALID ENCODING": NOT_UTF_8,
    "LINE SIZE OVER MAXIMUM": "the record is longer than any record should be (resources/crates_io/dump/layout.py)",
}

# a line that begins outside quotes, and one that begins inside: whole, or leaving a quote open
_QUOTED = rb'[^"]*(?:""[^"]*)*'
_FIELDS = rb'(?:,(?:"' + _QUOTED + rb'"|[^",\r\n]*))*(?:\n?|,"' + _QUOTED + rb")"
_OUTSIDE = re.compile(rb'(?:"' + _QUOTED + rb'"|[^",\r\n]*)' + _FIELDS + rb'|"' + _QUOTED)
_TEXT = re.compile(_QUOTED)
_INSIDE = re.compile(_QUOTED + rb'(?:"' + _FIELDS + rb")?")


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


def odd_line(path: Path) -> str:
    """Words on the first line of a gzipped CSV file that psql would not have written, counted from 1."""
    opened_at = 0
    with gzip.open(path) as file:
        for number, line in enumerate(file, start=1):
            if opened_at and not _INSIDE.fullmatch(line):
                return f"line {opened_at}: a quote is opened that is closed in line {number} where none can be"
            if not opened_at and not _OUTSIDE.fullmatch(line):
                return f"line {number}: a quote or a carriage return stands where none can"
            if not opened_at or not _TEXT.fullmatch(line):
                leaves_open = (line.count(b'"') + bool(opened_at)) % 2
                opened_at = number if leaves_open else 0
    return f"line {opened_at}: a quote is opened and never closed" if opened_at else "no line stands out"


def view_csv(con: duckdb.DuckDBPyConnection, path: Path, table: CsvTable) -> None:
    """Makes a file visible as `source_<table>`: the used columns as text, null where the layout lacks one.

    What cannot be read as a record goes to the table `unreadable` of the session.
    """
    header = read_header(path, table)
    chosen = ", ".join(_named(name) if name in header else f"null::varchar as {_named(name)}" for name in table.used)
    con.execute(
        f"create or replace view source_{table.name} as select {chosen} from {_scan(path, table, 'unreadable')}"
    )


def _scan(path: Path, table: CsvTable, rejects: str) -> str:
    """The records of a file with all of its columns; what is none goes to the table `rejects` of the session."""
    columns = ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name in read_header(path, table))
    # several threads take lines inside quotes for records, unseen if rejects are stored (DuckDB 2.0): where a text
    # may have lines, one thread reads
    return f"""read_csv(
        {_quoted(str(path))}, columns = {{{columns}}}, header = true, auto_detect = false,
        delim = ',', quote = '"', escape = '"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false,
        max_line_size = {table.longest_record}, buffer_size = {max(4 * table.longest_record, LEAST_BUFFER)},
        compression = 'gzip', parallel = {not table.has_texts},
        store_rejects = true, rejects_scan = '{rejects}_scans', rejects_table = '{rejects}'
    )"""


def count_read(con: duckdb.DuckDBPyConnection, table: CsvTable) -> int:
    """The records of `source_<table>` that can be read."""
    every = ", ".join(f"max({_named(name)})" for name in table.used)  # a text that no query asks for is not decoded
    found = first_row(con, f"select count(*), {every} from source_{table.name}")
    return found[0] if found else 0


def unread_records(con: duckdb.DuckDBPyConnection, path: Path) -> list[tuple[int, str, str]]:
    """What of a file could not be read as a record so far: the line it ends at, counted from 1, its text, and why."""
    rows = con.execute(
        """
        select line_byte_position, any_value(csv_line), min(error_type)
        from unreadable
        join unreadable_scans using (scan_id, file_id)
        where file_path = $path
        group by line_byte_position
        order by line_byte_position
        """,
        {"path": str(path)},
    ).fetchall()
    lines = _lines_before(path, [position - 1 for position, _, _ in rows])
    return [
        (before + 1 + text.count("\n"), text, WHY_UNREAD.get(why, f"the record cannot be read: {why.lower()}"))
        for before, (_, text, why) in zip(lines, rows)
    ]


def _lines_before(path: Path, offsets: list[int]) -> list[int]:
    """How many lines of a gzipped file end before each of the offsets, which are in order."""
    if not offsets:
        return []
    found: list[int] = []
    at = lines = 0
    with gzip.open(path) as file:
        for offset in offsets:
            while at < offset and (chunk := file.read(min(CHUNK, offset - at))):
                at, lines = at + len(chunk), lines + chunk.count(b"\n")
            found.append(lines)
    return found


def line_ends(con: duckdb.DuckDBPyConnection, path: Path, table: CsvTable, keys: list[str]) -> dict[str, int]:
    """The line, counted from 1, at which the last record with each of the `keys` ends."""
    header = read_header(path, table)
    newlines = " + ".join(
        f"coalesce(strlen({_named(name)}) - strlen(replace({_named(name)}, chr(10), '')), 0)" for name in header
    )
    for left in ("located", "located_scans"):
        con.execute(f"drop table if exists {left}")
    rows = con.execute(
        f"""
        select source_key, max_by((record, lines), record)
        from (
            select
                {source_key(table)} as source_key,
                1 + row_number() over () as record,
                1 + sum(1 + {newlines}) over (rows unbounded preceding) as lines
            from {_scan(path, table, "located")}
        )
        where source_key in (select unnest($keys))
        group by source_key
        """,
        {"keys": keys},
    ).fetchall()
    passed_over = con.execute("select distinct line, csv_line from located order by line").fetchall()
    return {key: _physical(record, int(lines), passed_over) for key, (record, lines) in rows}


def _physical(record: int, lines: int, passed_over: list[tuple[int, str]]) -> int:
    """The line of a record, given its number and line among those that could be read."""
    for number, text in passed_over:
        if number <= record:
            record, lines = record + 1, lines + 1 + text.count("\n")
    return lines


def source_key(table: CsvTable) -> str:
    """The text that finds a record, as SQL over the columns of its file."""
    return f"concat_ws(' ', {', '.join(map(_named, table.key))})"


def _named(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
