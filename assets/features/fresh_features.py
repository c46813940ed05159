"""The `fresh_features` table."""

from datetime import timedelta

import pyarrow as pa

from assets.features.steps import run_steps
from assets.partitions import all_partitions
from assets.point_in_time import attach_registry
from assets.registry.advisories import advisories
from assets.registry.dependencies import dependencies
from assets.registry.downloads import downloads
from assets.registry.events import events
from assets.registry.owners import owners
from assets.registry.yanks import yanks
from assets.schemas.features import FRESH_FEATURES
from assets.schemas.registry import EVENTS
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from resources.common.errors import BadInput
from resources.warehouse.session import first_row, set_variables, view


@table_asset(
    FRESH_FEATURES,
    group="features",
    deps=[all_partitions(table) for table in (events, yanks, dependencies, owners, downloads, advisories)],
    kinds={"sql", "duckdb"},
    partitions=None,
)
def fresh_features(context: BuildContext) -> pa.Table:
    """Computed by the steps of `features` over the newest snapshot and its events. Downloads, owners and advisories are
    those of the snapshot. Without events there are no rows; for crates that no event affects, use `features`."""
    con, store = context.con, context.store
    base = store.partitions("snapshots")[-1:]
    if not base:
        raise BadInput("there is no snapshot: run load_snapshot first")
    context.origin = store.require("snapshots", base[0]).origin
    if not store.find(EVENTS.name, base[0]):
        return FRESH_FEATURES.arrow.empty_table()
    attach_registry(con, store, base[0])
    view(con, store, EVENTS.name, base[0])
    (seen_at,) = first_row(con, "select max(known_at) from events") or (None,)
    if seen_at is None:
        return FRESH_FEATURES.arrow.empty_table()
    set_variables(con, as_of=(seen_at + timedelta(days=1)).date().isoformat(), known_at=seen_at)
    con.execute((SQL / "shared" / "with_events.sql").read_text())
    con.register("features", run_steps(con, wanted=SQL / "shared" / "affected.sql"))
    return con.sql("select *, getvariable('known_at') as refreshed_at from features order by crate").to_arrow_table()
