"""From the source's rows to a registry table: verify, judge every row, keep what holds, refuse a broken source."""

import pyarrow as pa

from assets.table_asset import SQL, Inputs
from resources.errors import BadInput
from resources.registry_source import manifest_hash
from resources.schema import Table
from resources.session import first_row, set_variables, view

# the bundled registry loses 49 rows of 1.5 million: far more means that the source, not a row, is broken
REJECTED_SHARE, REJECTED_ROWS = 0.001, 100


def load(inputs: Inputs, table: Table, needs: tuple[str, ...]) -> pa.Table:
    """The rows of `table` that hold. `needs` are the registry tables that its `.sql` refers to."""
    judge_rows(inputs, table.name, needs)
    total, rejected, example = first_row(
        inputs.con, "select count(*), count(rejected), mode(rejected) from judged"
    ) or (
        0,
        0,
        None,
    )
    if rejected > max(REJECTED_ROWS, total * REJECTED_SHARE):
        raise BadInput(
            f"{rejected:,} of {total:,} rows break a contract, such as: {example}. "
            "So many mean a broken source: mend it and run again"
        )
    inputs.report(quarantined=rejected)
    if rejected:
        inputs.log.warning(f"{table.name}: {rejected} rows go to quarantine, such as: {example}")
    return inputs.con.sql("select * exclude (rejected) from judged where rejected is null").to_arrow_table()


def judge_rows(inputs: Inputs, name: str, needs: tuple[str, ...]) -> None:
    """Makes the temporary table `judged`: the table's rows, and in `rejected` what is wrong with each, or null."""
    inputs.origin = manifest_hash(inputs.tools.source.verify(inputs.key))
    inputs.tools.source.attach(inputs.con)
    set_variables(inputs.con, snapshot_at=inputs.tools.source.snapshot_at)
    for table in needs:
        if inputs.store.need(table, inputs.key).origin != inputs.origin:
            raise BadInput(f"{table} {inputs.key} was loaded from another state of the source: run load_snapshot again")
        view(inputs.con, inputs.store, table, inputs.key)
    inputs.con.execute("create or replace temp table judged as " + (SQL / "registry" / f"{name}.sql").read_text())
