"""The `labels` table."""

from datetime import timedelta

import pyarrow as pa

from assets.point_in_time import attach_registry, known_at, set_as_of, snapshot_at_or_after
from assets.registry.dependencies import dependencies
from assets.registry.yanks import yanks
from assets.schemas.features import LABELS
from assets.table_asset import SQL, Inputs, all_partitions, table_asset
from ml.targets import HORIZONS, TARGETS
from resources.session import first_row, run_script, set_variables, view


@table_asset(
    LABELS, group="features", deps=[all_partitions(yanks), all_partitions(dependencies)], kinds={"sql", "duckdb"}
)
def labels(inputs: Inputs) -> pa.Table:
    """The future of each as-of date: only training and backtests may read it."""
    ends = {days: known_at(inputs.key) + timedelta(days=days) for days in HORIZONS}
    snapshot_at_or_after(inputs.store, inputs.key)
    attach_registry(inputs.con, inputs.store, _snapshot(inputs, max(ends.values()).date().isoformat()))
    set_as_of(inputs.con, inputs.key)
    instants = {"now": known_at(inputs.key), **{str(days): end for days, end in ends.items()}}
    inputs.con.execute(
        "create temp table label_instants as select unnest($names) as name, unnest($instants) as instant",
        {"names": list(instants), "instants": list(instants.values())},
    )
    inputs.con.execute("create temp table outcomes (target varchar, horizon_days integer, crate_id bigint)")
    for target in TARGETS:
        outcome = (SQL / "targets" / f"{target.name}.sql").read_text()
        inputs.con.execute(
            f"insert into outcomes by name select $name as target, * from ({outcome})", {"name": target.name}
        )
    set_variables(inputs.con, targets=[target.name for target in TARGETS])
    rows = run_script(inputs.con, SQL / "labels.sql")
    inputs.con.register("labels", rows)
    known, total = first_row(inputs.con, "select count(label), count(*) from labels") or (0, 0)
    inputs.report(known_share=known / max(total, 1))
    return rows


def _snapshot(inputs: Inputs, wanted: str) -> str:
    """The earliest snapshot that sees the longest horizon's end, or else the newest; sets `snapshot_at`."""
    newest = inputs.store.partitions("snapshots")[-1]
    snapshot = snapshot_at_or_after(inputs.store, min(wanted, newest))
    view(inputs.con, inputs.store, "snapshots", snapshot)
    taken_at = first_row(inputs.con, "select taken_at from snapshots")
    set_variables(inputs.con, snapshot_at=taken_at[0] if taken_at else None)
    return snapshot
