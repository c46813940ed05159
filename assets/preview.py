"""A few rows as a Markdown table for the UI, with all HTML and Markdown in them escaped."""

from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS, COLUMNS, WIDTH = 5, 8, 60
# HTML characters become entities, Markdown characters get a backslash: each character once
ESCAPES = {ord(c): f"&#{ord(c)};" for c in "<>|&"} | {ord(c): f"\\{c}" for c in "\\`*_[]#!"}


def first_rows(path: Path) -> pa.Table:
    """The first rows of a Parquet file."""
    file = pq.ParquetFile(path)
    return pa.Table.from_batches(islice(file.iter_batches(ROWS), 1), file.schema_arrow)


def markdown(rows: pa.Table) -> str:
    """The first rows and columns of a table as GitHub Markdown."""
    columns = rows.column_names[:COLUMNS]
    shown = rows.select(columns).slice(0, ROWS).to_pylist()
    lines = [columns, ["---"] * len(columns), *([_cell(row[c]) for c in columns] for row in shown)]
    more = f"\n\n({len(rows.column_names) - COLUMNS} more columns)" if len(rows.column_names) > COLUMNS else ""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + more


def _cell(value: object) -> str:
    text = "unknown" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    text = "".join(c if c.isprintable() else " " for c in text[:WIDTH])
    return text.translate(ESCAPES)
