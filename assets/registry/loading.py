"""From the source's rows to a registry table: judge every row, keep what holds, refuse a broken source.

Rows stream: a table is never held whole. Rejected rows are published beside the table, for `quarantine`.
"""

import json
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from assets.registry.repeats import mark_repeats
from assets.schemas.registry import QUARANTINE
from assets.table_build import BuildContext
from resources.common.errors import BadInput
from resources.registry.source import REQUIRED_TABLES, RegistrySource, UnreadableRecord
from resources.warehouse.schema import Table
from resources.warehouse.session import set_variables, view

# the bundled registry loses 49 rows of 1.5 million: far more means that the source, not a row, is broken
REJECTED_SHARE, REJECTED_ROWS = 0.001, 100
# so that a broken source is refused long before its rows fill the memory
REJECTED_AT_MOST = 100_000


def rejects_of(table: str) -> Table:
    """The table of a table's rejected rows: part of `quarantine`, and not shown by itself."""
    return replace(QUARANTINE, name=f"rejected_{table}")


def load(context: BuildContext, source: RegistrySource, table: Table) -> pa.RecordBatchReader:
    """The rows of `table` that hold, as they stream from the source."""
    snapshot = source.require(context.key)
    context.origin = snapshot.sha256
    set_variables(context.con, snapshot_at=snapshot.taken_at, advisories_read_at=snapshot.advisories_read_at)
    for needed in REQUIRED_TABLES[table.name]:
        if context.store.require(needed, context.key).origin != context.origin:
            raise BadInput(
                f"{needed} {context.key} was loaded from another state of the source: run load_snapshot again"
            )
        view(context.con, context.store, needed, context.key)
    rows = context.con.sql(source.attach(context.con, context.key, table.name)).to_arrow_reader()
    names = [name for name in rows.schema.names if name not in ("source_key", "rejected")]
    schema = pa.schema([rows.schema.field(name) for name in names])
    return pa.RecordBatchReader.from_batches(schema, _good(context, source, table, rows, names))


def _good(
    context: BuildContext, source: RegistrySource, table: Table, rows: pa.RecordBatchReader, names: list[str]
) -> Iterator[pa.RecordBatch]:
    """Yields what holds; at the end publishes what does not, or refuses the source if that is too much."""
    rejected: list[dict] = []
    total = 0
    for batch in mark_repeats(rows, table.key):
        total += batch.num_rows
        holds = pc.is_null(batch["rejected"])
        rejected += batch.filter(pc.invert(holds)).to_pylist()
        if len(rejected) > REJECTED_AT_MOST:
            break
        yield batch.filter(holds).select(names)
    # a source that was left in the middle cannot tell what else it passed over
    unread = [] if len(rejected) > REJECTED_AT_MOST else source.unreadable_records(context.con, context.key, table.name, total)
    reasons = [row["rejected"] for row in rejected] + [record.reason for record in unread]
    if len(reasons) > max(REJECTED_ROWS, total * REJECTED_SHARE):
        raise BadInput(
            f"{table.name}: {len(reasons):,} of {total:,} rows break a contract, such as: {reasons[0]}. "
            "So many mean a broken source: mend it and run again"
        )
    context.report(quarantined=len(reasons))
    if reasons:
        context.log.warning(f"{table.name}: {len(reasons)} rows go to quarantine, such as: {reasons[0]}")
    rejects = _rejects(context, source, table, rejected, unread)
    context.store.publish(rejects_of(table.name), context.key, rejects, context.origin)


def _rejects(
    context: BuildContext, source: RegistrySource, table: Table, rejected: list[dict], unread: list[UnreadableRecord]
) -> pa.Table:
    """What is in no table as rows of `quarantine`, in the order of reason and row."""
    keys = [_source_key(row, table) for row in rejected]
    lines = source.locate(context.con, context.key, table.name, sorted(set(keys))) if keys else {}
    file = source.file_of(table.name)
    told = [(row["rejected"], _as_json(row), file, lines.get(key)) for row, key in zip(rejected, keys)]
    told += [(record.reason, json.dumps({"record": record.text}), record.file, record.line) for record in unread]
    told.sort(key=lambda found: (*found[:3], found[3] or 0))
    columns = {
        "table_name": [table.name] * len(told),
        "number": range(1, len(told) + 1),
        "file": [file for _, _, file, _ in told],
        "line": [line for _, _, _, line in told],
        "source_row": [row for _, row, _, _ in told],
        "reason": [reason for reason, _, _, _ in told],
    }
    return pa.table(columns, schema=QUARANTINE.arrow)


def _source_key(row: dict, table: Table) -> str:
    """What finds a row in its file: its query says so where it rejected the row, else it is one that was repeated."""
    return " ".join(str(row[column]) for column in table.key) if row["source_key"] is None else row["source_key"]


def _as_json(row: dict) -> str:
    return json.dumps({k: v for k, v in row.items() if k not in ("source_key", "rejected")}, default=str)
