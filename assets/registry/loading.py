"""Loads a registry table from its source: checks every row, keeps the valid ones and refuses a broken source.

Rows stream: a table is never held in memory. Rejected rows are published beside the table, for `quarantine`.
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

# the bundled registry rejects 49 rows of 1.5 million: many more mean that the source is broken, not a row
MAX_REJECTED_SHARE, MIN_REJECTED_TO_REFUSE = 0.001, 100
# refuses a broken source long before its rows fill the memory
MAX_REJECTED = 100_000


def rejects_of(table: str) -> Table:
    """The table of rejected rows of a table. It becomes part of `quarantine` and has no view of its own."""
    return replace(QUARANTINE, name=f"rejected_{table}")


def load(context: BuildContext, source: RegistrySource, table: Table) -> pa.RecordBatchReader:
    """The valid rows of `table`, as they stream from the source. Raises BadInput for a broken source."""
    snapshot = source.require(context.key)
    context.origin = snapshot.sha256
    set_variables(context.con, snapshot_at=snapshot.taken_at, advisories_read_at=snapshot.advisories_read_at)
    for needed in REQUIRED_TABLES[table.name]:
        if context.store.require(needed, context.key).origin != context.origin:
            raise BadInput(
                f"{needed} {context.key} was loaded from a different state of the source: run load_snapshot again"
            )
        view(context.con, context.store, needed, context.key)
    rows = context.con.sql(source.attach(context.con, context.key, table.name)).to_arrow_reader()
    names = [name for name in rows.schema.names if name not in ("source_key", "rejected")]
    schema = pa.schema([rows.schema.field(name) for name in names])
    return pa.RecordBatchReader.from_batches(schema, _valid(context, source, table, rows, names))


def _valid(
    context: BuildContext, source: RegistrySource, table: Table, rows: pa.RecordBatchReader, names: list[str]
) -> Iterator[pa.RecordBatch]:
    """Yields valid rows, then publishes the rejected ones, or refuses the source if there are too many of them."""
    rejected: list[dict] = []
    total = 0
    for batch in mark_repeats(rows, table.key):
        total += batch.num_rows
        is_valid = pc.is_null(batch["rejected"])
        rejected += batch.filter(pc.invert(is_valid)).to_pylist()
        if len(rejected) > MAX_REJECTED:
            break
        yield batch.filter(is_valid).select(names)
    # a source that was not read to its end does not know which other records it skipped
    complete = len(rejected) <= MAX_REJECTED
    unread = source.unreadable_records(context.con, context.key, table.name, total) if complete else []
    reasons = [row["rejected"] for row in rejected] + [record.reason for record in unread]
    if len(reasons) > max(MIN_REJECTED_TO_REFUSE, total * MAX_REJECTED_SHARE):
        raise BadInput(
            f"{table.name}: {len(reasons):,} of {total:,} rows break a contract, such as: {reasons[0]}. "
            "The source is probably broken: fix it and run again"
        )
    context.report(quarantined=len(reasons))
    if reasons:
        context.log.warning(f"{table.name}: {len(reasons)} rows go to quarantine, such as: {reasons[0]}")
    rejects = _rejects(context, source, table, rejected, unread)
    context.store.publish(rejects_of(table.name), context.key, rejects, context.origin)


def _rejects(
    context: BuildContext, source: RegistrySource, table: Table, rejected: list[dict], unread: list[UnreadableRecord]
) -> pa.Table:
    """Rejected rows and unreadable records as rows of `quarantine`, ordered by reason and row."""
    keys = [_source_key(row, table) for row in rejected]
    lines = source.locate(context.con, context.key, table.name, sorted(set(keys))) if keys else {}
    file = source.file_name(table.name)
    found = [(row["rejected"], _as_json(row), file, lines.get(key)) for row, key in zip(rejected, keys)]
    found += [(record.reason, json.dumps({"record": record.text}), record.file, record.line) for record in unread]
    found.sort(key=lambda row: (*row[:3], row[3] or 0))
    columns = {
        "table_name": [table.name] * len(found),
        "number": range(1, len(found) + 1),
        "file": [file for _, _, file, _ in found],
        "line": [line for _, _, _, line in found],
        "source_row": [row for _, row, _, _ in found],
        "reason": [reason for reason, _, _, _ in found],
    }
    return pa.table(columns, schema=QUARANTINE.arrow)


def _source_key(row: dict, table: Table) -> str:
    """The text that locates a row in its file: from the query that rejected it, or the key of a repeated row."""
    return " ".join(str(row[column]) for column in table.key) if row["source_key"] is None else row["source_key"]


def _as_json(row: dict) -> str:
    return json.dumps({k: v for k, v in row.items() if k not in ("source_key", "rejected")}, default=str)
