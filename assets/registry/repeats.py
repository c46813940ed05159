"""Rows that share the key of the row before: told apart as they stream by, in the order of the key."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc


def mark_repeats(batches: Iterable[pa.RecordBatch], key: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The batches, with a reason in `rejected` for each row whose key equals that of a good row before it."""
    reason = f"{', '.join(key)}: stands more than once; the first was kept"
    before: pa.RecordBatch | None = None
    for batch in batches:
        marked = _mark(batch, key, before, reason)
        yield marked
        before = batch.slice(batch.num_rows - 1) if batch.num_rows else before


def _mark(batch: pa.RecordBatch, key: Sequence[str], before: pa.RecordBatch | None, reason: str) -> pa.RecordBatch:
    first = batch.slice(0, 1) if before is None else before
    same = None
    for column in key:
        shifted = pa.concat_arrays([first.column(column), batch.column(column)]).slice(0, batch.num_rows)
        equal = pc.fill_null(pc.equal(batch.column(column), shifted), False)
        same = equal if same is None else pc.and_(same, equal)
    assert same is not None
    if before is None and batch.num_rows:  # the very first row repeats nothing
        same = pa.concat_arrays([pa.array([False]), same.slice(1)])
    if not pc.any(same).as_py():
        return batch
    at = batch.schema.get_field_index("rejected")
    marked = pc.if_else(pc.and_(same, pc.is_null(batch.column(at))), reason, batch.column(at))
    return batch.set_column(at, batch.schema.field(at), marked)
