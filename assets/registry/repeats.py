"""Finds rows that repeat the key of the previous row, in a stream that is sorted by the key."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc


def mark_repeats(batches: Iterable[pa.RecordBatch], key: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The batches, with a reason in `rejected` for each row that has the same key as an earlier valid row."""
    reason = f"{', '.join(key)}: appears more than once; the first row is used"
    before: pa.RecordBatch | None = None
    for batch in batches:
        at = batch.schema.get_field_index("rejected")
        is_valid = pc.is_null(batch.column(at))
        valid = batch.select(list(key)).filter(is_valid)
        if not valid.num_rows:
            yield batch
            continue
        repeats = _repeats(valid, before)
        before = valid.slice(valid.num_rows - 1)
        if pc.any(repeats).as_py():
            marked = pc.if_else(pc.replace_with_mask(is_valid, is_valid, repeats), reason, batch.column(at))
            batch = batch.set_column(at, batch.schema.field(at), marked)
        yield batch


def _repeats(rows: pa.RecordBatch, before: pa.RecordBatch | None) -> pa.Array:
    """Whether each row equals the previous one; `before` is the row that precedes the first."""
    same = pa.array([True] * rows.num_rows)
    first = rows.slice(0, 1) if before is None else before
    for column, first_column in zip(rows.columns, first.columns):
        shifted = pa.concat_arrays([first_column, column]).slice(0, rows.num_rows)
        same = pc.and_(same, pc.fill_null(pc.equal(column, shifted), False))
    # the very first row has no previous one
    return pa.concat_arrays([pa.array([False]), same.slice(1)]) if before is None else same
