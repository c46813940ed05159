"""The `features` table."""

import pyarrow as pa

from assets.features.steps import run_steps
from assets.partitions import DATE_PARTITIONS, all_partitions
from assets.point_in_time import attach_registry, set_as_of, snapshot_at_or_after
from assets.registry.advisories import advisories
from assets.registry.dependencies import dependencies
from assets.registry.downloads import downloads
from assets.registry.owners import owners
from assets.registry.yanks import yanks
from assets.schemas.features import FEATURES
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from resources.warehouse.session import first_row


@table_asset(
    FEATURES,
    group="features",
    deps=[all_partitions(table) for table in (yanks, dependencies, owners, downloads, advisories)],
    kinds={"sql", "duckdb"},
    partitions=DATE_PARTITIONS,
)
def features(context: BuildContext) -> pa.Table:
    """Leak-proof: adding or removing facts dated after the as-of date changes no byte."""
    snapshot = snapshot_at_or_after(context.store, context.key)
    context.origin = context.store.require("snapshots", snapshot).origin
    attach_registry(context.con, context.store, snapshot)
    set_as_of(context.con, context.key)
    rows = run_steps(context.con)
    context.con.register("features", rows)
    vulnerable, outdated = first_row(
        context.con, "select avg((tree_vulnerable > 0)::int), avg((dependencies_outdated > 0)::int) from features"
    ) or (None, None)
    context.report(share_with_vulnerable_tree=vulnerable or 0.0, share_with_outdated_dependency=outdated or 0.0)
    return rows
