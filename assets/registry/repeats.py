"""Rows that share the key of the row before: told apart as they stream by, in the order of the key."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc


def mark_repeats(batches: Iterable[pa.RecordBatch], key: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The batches, with a reason in `rejected` for each row whose key equals that of a good row before it."""
    reason = f"{', '.join(key)}: stands more than once; the first was kept"
    before: pa.RecordBatch | None = None
    for batch in batches:
        at = batch.schema.get_field_index("rejected")
        is_good = pc.is_null(batch.column(at))
        good = batch.select(list(key)).filter(is_good)
        if not good.num_rows:
            yield batch
            continue
        repeats = _repeats(good, before)
        before = good.slice(good.num_rows - 1)
        if pc.any(repeats).as_py():
            marked = pc.if_else(pc.replace_with_mask(is_good, is_good, repeats), reason, batch.column(at))
            batch = batch.set_column(at, batch.schema.field(at), marked)
        yield batch


def _repeats(rows: pa.RecordBatch, before: pa.RecordBatch | None) -> pa.Array:
    """Whether each row equals the one before it; `before` is the one before the first."""
    same = pa.array([True] * rows.num_rows)
    first = rows.slice(0, 1) if before is None else before
    for column, first_column in zip(rows.columns, first.columns):
        shifted = pa.concat_arrays([first_column, column]).slice(0, rows.num_rows)
        same = pc.and_(same, pc.fill_null(pc.equal(column, shifted), False))
    # the very first row repeats nothing
    return pa.concat_arrays([pa.array([False]), same.slice(1)]) if before is None else same
