"""The `labels` table."""

import pyarrow as pa

from assets.features.features import features
from assets.features.steps import ADVISORIES, run_step
from assets.partitions import DATE_PARTITIONS, all_partitions
from assets.point_in_time import attach_registry, known_at, set_as_of, snapshot_at_or_after
from assets.registry.advisories import advisories
from assets.registry.dependencies import dependencies
from assets.registry.yanks import yanks
from assets.schemas.features import LABELS
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from ml.targets import TARGETS
from resources.warehouse.session import first_row, run_script, set_variables, view


@table_asset(
    LABELS,
    group="features",
    deps=[features, *(all_partitions(table) for table in (yanks, dependencies, advisories))],
    kinds={"sql", "duckdb"},
    partitions=DATE_PARTITIONS,
)
def labels(context: BuildContext) -> pa.Table:
    """What happened after each as-of date: only training and backtests may read it."""
    con = context.con
    snapshot_at_or_after(context.store, context.key)
    snapshot = _snapshot(context)
    context.origin = context.store.require("snapshots", snapshot).origin
    attach_registry(con, context.store, snapshot)
    set_as_of(con, context.key)
    horizons = [(t.name, days, t.facts) for t in TARGETS for days in t.horizons]
    con.execute(
        "create temp table wanted_horizons as "
        "select unnest($1) as target, unnest($2) as horizon_days, unnest($3) as facts",
        [list(column) for column in zip(*horizons)],
    )
    con.execute(f"create temp table target_horizons as {(SQL / 'target_horizons.sql').read_text()}")
    _gather_outcomes(context)
    rows = run_script(con, SQL / "labels.sql")
    con.register("labels", rows)
    known, total = first_row(con, "select count(label), count(*) from labels") or (0, 0)
    context.report(known_share=known / max(total, 1))
    return rows


def _gather_outcomes(context: BuildContext) -> None:
    """Creates `outcomes`: the positives of each target whose horizon is known."""
    con = context.con
    con.execute(
        "create temp table label_instants as select 'now' as name, getvariable('known_at') as instant union "
        "select horizon_days::varchar, ends_at from target_horizons where censored is null"
    )
    view(con, context.store, "features", context.key)
    con.execute("create temp view built_crates as select crate, build from features where len(build) > 0")
    con.execute((SQL / "label_facts.sql").read_text())
    run_step(con, ADVISORIES)
    con.execute("create temp table outcomes (target varchar, horizon_days integer, crate_id bigint)")
    for target in TARGETS:
        outcome = (SQL / "targets" / f"{target.name}.sql").read_text()
        con.execute(f"insert into outcomes by name select $name as target, * from ({outcome})", {"name": target.name})


def _snapshot(context: BuildContext) -> str:
    """The earliest snapshot at or after the end of the longest horizon, or else the newest; sets `snapshot_at`."""
    newest = context.store.partitions("snapshots")[-1]
    longest = max(days for target in TARGETS for days in target.horizons)
    set_variables(context.con, known_at=known_at(context.key), longest=longest)
    wanted = first_row(context.con, "select (getvariable('known_at') + to_days(getvariable('longest')))::date::varchar")
    assert wanted, "a query of one row"
    snapshot = snapshot_at_or_after(context.store, min(wanted[0], newest))
    view(context.con, context.store, "snapshots", snapshot)
    taken_at = first_row(context.con, "select taken_at from snapshots")
    set_variables(context.con, snapshot_at=taken_at[0] if taken_at else None)
    return snapshot
