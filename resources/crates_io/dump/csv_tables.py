"""The dump's CSV files as DuckDB views, with every column as text and found by its name in the header."""

import csv
import gzip
import re
from pathlib import Path

import duckdb

from resources.common.errors import BadInput
from resources.crates_io.dump.dump_file import CHUNK_BYTES
from resources.crates_io.dump.layout import CsvTable
from resources.warehouse.session import first_row

MAX_HEADER_BYTES = 65_536
MIN_BUFFER_BYTES = 32_000_000  # DuckDB needs several times the longest record
NOT_UTF_8 = "the record is not UTF-8"
REASONS = {
    "MISSING COLUMNS": "the record has fewer columns than the header",
    "TOO MANY COLUMNS": "the record has more columns than the header",
    "UNQUOTED VALUE": "the record has a quote inside a field",
    "INVALID ENCODING": NOT_UTF_8,
    "LINE SIZE OVER MAXIMUM": "the record exceeds max_record_bytes of its table (resources/crates_io/dump/layout.py)",
}

# a line that begins outside quotes and one that begins inside; each may end with an open quote
_QUOTED = rb'[^"]*(?:""[^"]*)*'
_FIELDS = rb'(?:,(?:"' + _QUOTED + rb'"|[^",\r\n]*))*(?:\n?|,"' + _QUOTED + rb")"
_OUTSIDE = re.compile(rb'(?:"' + _QUOTED + rb'"|[^",\r\n]*)' + _FIELDS + rb'|"' + _QUOTED)
_TEXT = re.compile(_QUOTED)
_INSIDE = re.compile(_QUOTED + rb'(?:"' + _FIELDS + rb")?")


def read_header(path: Path, table: CsvTable) -> list[str]:
    """The column names of a gzipped CSV file. Raises BadInput."""
    with gzip.open(path, "rb") as file:
        line = file.readline(MAX_HEADER_BYTES)
    try:
        header = next(csv.reader([line.decode()]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"data/{table.name}.csv: the header is invalid ({error}): fetch the dump again") from error
    if not line.endswith(b"\n") or not header:
        raise BadInput(f"data/{table.name}.csv: no header in the first {MAX_HEADER_BYTES} bytes: fetch the dump again")
    return header


def describe_malformed_line(path: Path) -> str:
    """A description of the first line (from 1) of a gzipped CSV file that psql would not write."""
    opened_at, line = 0, b""
    with gzip.open(path) as file:
        for number, line in enumerate(file, start=1):
            if opened_at and not _INSIDE.fullmatch(line):
                return f"line {opened_at}: a quote is opened, and closed at an invalid place in line {number}"
            if not opened_at and not _OUTSIDE.fullmatch(line):
                return f"line {number}: a quote or a carriage return is at an invalid place"
            if not opened_at or not _TEXT.fullmatch(line):
                leaves_open = (line.count(b'"') + bool(opened_at)) % 2
                opened_at = number if leaves_open else 0
    if opened_at:
        return f"line {opened_at}: a quote is opened and never closed"
    return "every line is well-formed" if line.endswith(b"\n") else "the last line has no line feed"


def view_csv(con: duckdb.DuckDBPyConnection, path: Path, table: CsvTable) -> None:
    """Creates the view `source_<table>`: the used columns as text, null if the file lacks one.

    Records that cannot be parsed go to the session's table `unreadable`.
    """
    header = read_header(path, table)
    columns = ", ".join(
        _identifier(name) if name in header else f"null::varchar as {_identifier(name)}" for name in table.used
    )
    con.execute(
        f"create or replace view source_{table.name} as select {columns} from {_scan(path, table, 'unreadable')}"
    )


def _scan(path: Path, table: CsvTable, rejects: str) -> str:
    """SQL that reads all columns of a file. Records that cannot be parsed go to the session's table `rejects`."""
    columns = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in read_header(path, table))
    # DuckDB 2.0 with several threads takes lines inside quotes for records, and stores no rejects for them: one thread
    # reads the tables with multi-line texts
    return f"""read_csv(
        {_literal(str(path))}, columns = {{{columns}}}, header = true, auto_detect = false,
        delim = ',', quote = '"', escape = '"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false,
        max_line_size = {table.max_record_bytes}, buffer_size = {max(4 * table.max_record_bytes, MIN_BUFFER_BYTES)},
        compression = 'gzip', parallel = {not table.is_multiline},
        store_rejects = true, rejects_scan = '{rejects}_scans', rejects_table = '{rejects}'
    )"""


def count_records(con: duckdb.DuckDBPyConnection, table: CsvTable) -> int:
    """The number of records of `source_<table>` that can be parsed."""
    columns = ", ".join(f"max({_identifier(name)})" for name in table.used)  # DuckDB decodes only texts that are used
    found = first_row(con, f"select count(*), {columns} from source_{table.name}")
    return found[0] if found else 0


def unreadable_records(con: duckdb.DuckDBPyConnection, path: Path) -> list[tuple[int, str, str]]:
    """The records of a file that could not be parsed so far: line of the end (from 1), text and reason."""
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
        (before + 1 + text.count("\n"), text, REASONS.get(type_, f"the record cannot be parsed: {type_.lower()}"))
        for before, (_, text, type_) in zip(lines, rows)
    ]


def _lines_before(path: Path, offsets: list[int]) -> list[int]:
    """The number of lines of a gzipped file that end before each of the sorted offsets."""
    if not offsets:
        return []
    found: list[int] = []
    at = lines = 0
    with gzip.open(path) as file:
        for offset in offsets:
            while at < offset and (chunk := file.read(min(CHUNK_BYTES, offset - at))):
                at, lines = at + len(chunk), lines + chunk.count(b"\n")
            found.append(lines)
    return found


def find_lines(con: duckdb.DuckDBPyConnection, path: Path, table: CsvTable, keys: list[str]) -> dict[str, int]:
    """The line (from 1) where the last record with each of the `keys` ends."""
    header = read_header(path, table)
    newlines = " + ".join(
        f"coalesce(strlen({_identifier(name)}) - strlen(replace({_identifier(name)}, chr(10), '')), 0)"
        for name in header
    )
    for leftover in ("located", "located_scans"):
        con.execute(f"drop table if exists {leftover}")
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
    skipped = con.execute("select distinct line, csv_line from located order by line").fetchall()
    return {key: _line_in_file(record, int(lines), skipped) for key, (record, lines) in rows}


def _line_in_file(record: int, lines: int, skipped: list[tuple[int, str]]) -> int:
    """The line of a record in the file, given its number and line among the records that could be parsed."""
    for number, text in skipped:
        if number <= record:
            record, lines = record + 1, lines + 1 + text.count("\n")
    return lines


def source_key(table: CsvTable) -> str:
    """SQL for the text that identifies a record, over the columns of its file."""
    return f"concat_ws(' ', {', '.join(map(_identifier, table.key))})"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
