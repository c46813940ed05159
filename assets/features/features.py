"""The `features` table."""

import pyarrow as pa

from assets.point_in_time import attach_registry, set_as_of, snapshot_at_or_after
from assets.registry.advisories import advisories
from assets.registry.dependencies import dependencies
from assets.registry.yanks import yanks
from assets.schemas.features import FEATURES
from assets.table_asset import SQL, Inputs, all_partitions, table_asset
from resources.session import first_row, run_script

STEPS = sorted((SQL / "features").glob("*.sql"))


@table_asset(
    FEATURES,
    group="features",
    deps=[all_partitions(yanks), all_partitions(dependencies), all_partitions(advisories)],
    kinds={"sql", "duckdb"},
)
def features(inputs: Inputs) -> pa.Table:
    """Leak-proof: adding or removing any fact dated after the as-of date leaves every byte as it was."""
    attach_registry(inputs.con, inputs.store, snapshot_at_or_after(inputs.store, inputs.key))
    set_as_of(inputs.con, inputs.key)
    *before, last = STEPS
    for step in before:
        inputs.con.execute(step.read_text())
    rows = run_script(inputs.con, last)
    inputs.con.register("features", rows)
    vulnerable, outdated = first_row(
        inputs.con, "select avg((tree_vulnerable > 0)::int), avg((dependencies_outdated > 0)::int) from features"
    ) or (None, None)
    inputs.report(share_with_vulnerable_tree=vulnerable or 0.0, share_with_outdated_dependency=outdated or 0.0)
    return rows
