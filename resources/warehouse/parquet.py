"""Writing rows as Parquet: the same rows give the same bytes, however they arrive."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from resources.common.errors import BadInput
from resources.warehouse.schema import Table

ROW_GROUP = 122_880  # DuckDB's own row group, so that its scans split evenly

Rows: TypeAlias = "pa.Table | pa.RecordBatchReader"


def write_parquet(table: Table, rows: Rows, path: Path) -> int:
    """Streams rows into a Parquet file with the table's types; returns their number. Raises BadInput.

    The size of row groups does not depend on the batches of `rows`, so the same rows give the same bytes.
    """
    expected, found = table.arrow, rows.schema
    if expected.names != found.names:
        missing = [n for n in expected.names if n not in found.names]
        unknown = [n for n in found.names if n not in expected.names]
        raise BadInput(
            f"table {table.name}: missing columns {missing}, unknown columns {unknown}, or not in the declared order"
        )
    # nulls are checked by a contract, on the written file
    expected = pa.schema([field.with_nullable(True) for field in expected])
    count = 0
    try:
        with pq.ParquetWriter(path, expected, compression="zstd", write_statistics=True) as writer:
            for group in _groups(rows):
                writer.write_table(group.cast(expected).combine_chunks(), row_group_size=ROW_GROUP)
                count += group.num_rows
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise BadInput(f"table {table.name}: the rows do not fit the declared schema: {error}") from error
    return count


def _groups(rows: Rows) -> Iterator[pa.Table]:
    """The rows in tables of ROW_GROUP rows; the last one may be smaller."""
    pending: list[pa.RecordBatch] = []
    size = 0
    for batch in _batches(rows):
        pending.append(batch)
        size += batch.num_rows
        while size >= ROW_GROUP:
            table = pa.Table.from_batches(pending)
            yield table.slice(0, ROW_GROUP)
            pending = table.slice(ROW_GROUP).to_batches()
            size -= ROW_GROUP
    if size:
        yield pa.Table.from_batches(pending)


def _batches(rows: Rows) -> Iterator[pa.RecordBatch]:
    """The batches of `rows`. Arrow turns every error of DuckDB into OSError: raises the original type instead."""
    try:
        yield from rows.to_batches() if isinstance(rows, pa.Table) else rows
    except OSError as error:
        types = {"Out of Memory Error": duckdb.OutOfMemoryException, "IO Error": duckdb.IOException}
        raise types.get(str(error).partition(":")[0], BadInput)(str(error)) from error
