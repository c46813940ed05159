"""The `features` table."""

from pathlib import Path

import duckdb
import pyarrow as pa

from assets.partitions import DATE_PARTITIONS, all_partitions
from assets.point_in_time import attach_registry, set_as_of, snapshot_at_or_after
from assets.registry.advisories import advisories
from assets.registry.dependencies import dependencies
from assets.registry.downloads import downloads
from assets.registry.owners import owners
from assets.registry.yanks import yanks
from assets.schemas.features import FEATURES
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from resources.warehouse.session import first_row, run_script, set_variables

STEPS = sorted((SQL / "features").glob("*.sql"))
# crates whose trees are held at a time: some millions of pairs, in under 1 GB
TREES = 20_000


@table_asset(
    FEATURES,
    group="features",
    deps=[all_partitions(table) for table in (yanks, dependencies, owners, downloads, advisories)],
    kinds={"sql", "duckdb"},
    partitions=DATE_PARTITIONS,
)
def features(context: BuildContext) -> pa.Table:
    """Leak-proof: adding or removing any fact dated after the as-of date leaves every byte as it was."""
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


def run_steps(con: duckdb.DuckDBPyConnection, wanted: Path | None = None) -> pa.Table:
    """Rows of FEATURES as of `known_at`: of the crates that the query in `wanted` gives (crate_id), or of all."""
    *before, last = STEPS
    for step in before:
        if wanted and _is_of_trees(step):
            con.execute(f"create or replace temp table wanted_crates as {wanted.read_text()}")
        run_step(con, step)
    return run_script(con, last)


def run_step(con: duckdb.DuckDBPyConnection, step: Path) -> None:
    """Runs a file of `assets/sql/features`; that on trees once for each part of the crates."""
    parts = 1
    if _is_of_trees(step):
        crates = first_row(con, "select count(*) from wanted_crates")
        parts = 1 + (crates[0] if crates else 0) // TREES
    for part in range(parts):
        set_variables(con, part=part, parts=parts)
        con.execute(step.read_text())


def _is_of_trees(step: Path) -> bool:
    return step.name.endswith("_trees.sql")
