"""The `culprits` table."""

import pyarrow as pa

from assets.features.features import STEPS, run_step
from assets.partitions import DATE_PARTITIONS, all_partitions
from assets.point_in_time import attach_registry, set_as_of, snapshot_at_or_after
from assets.registry.advisories import advisories
from assets.registry.dependencies import dependencies
from assets.registry.downloads import downloads
from assets.registry.owners import owners
from assets.registry.yanks import yanks
from assets.schemas.culprits import CULPRITS
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from resources.warehouse.session import first_row, set_variables

# the steps of `features` up to the affected versions
KNOWN = [step for step in STEPS if step.name < "06"]
TROUBLES, *PARTS = sorted((SQL / "culprits").glob("*.sql"))
# crates in trouble that are looked for at a time: what pulls one in may be half of the registry
AT_A_TIME = 200


@table_asset(
    CULPRITS,
    group="features",
    deps=[all_partitions(table) for table in (yanks, dependencies, owners, downloads, advisories)],
    kinds={"sql", "duckdb"},
    partitions=DATE_PARTITIONS,
)
def culprits(context: BuildContext) -> pa.Table:
    """Leak-proof as `features`. Versions resolve to the newest that match, so a fix that requirements admit is taken:
    what is listed here goes away only if somebody changes a requirement. Optional dependencies are left out."""
    con = context.con
    attach_registry(con, context.store, snapshot_at_or_after(context.store, context.key))
    set_as_of(con, context.key)
    for step in KNOWN:
        run_step(con, step)
    con.execute(TROUBLES.read_text())
    con.register("no_rows", CULPRITS.arrow.empty_table())
    con.execute("create temp table culprits as from no_rows")
    (crates,) = first_row(con, "select count(distinct crate_id) from troubles") or (0,)
    parts = 1 + crates // AT_A_TIME
    for part in range(parts):
        set_variables(con, part=part, parts=parts)
        for step in PARTS:
            con.execute(step.read_text())
    rows = con.sql("from culprits order by crate, culprit, culprit_version, trouble").to_arrow_table()
    (you, nobody) = first_row(con, "select avg((who = 'you')::int), avg((who = 'nobody')::int) from culprits") or (0, 0)
    context.report(share_you_can_act=you or 0.0, share_nobody_can_act=nobody or 0.0)
    return rows
