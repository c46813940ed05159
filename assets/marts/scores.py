"""The `scores` table."""

from datetime import timedelta

import pyarrow as pa
from dagster import FreshnessPolicy

from assets.enrichment.texts import texts
from assets.features.features import features
from assets.features.fresh_features import fresh_features
from assets.partitions import LATEST, all_partitions
from assets.point_in_time import snapshot_at_or_after
from assets.predictions.fresh_predictions import fresh_predictions
from assets.predictions.predictions import predictions
from assets.registry.crates import crates
from assets.schemas.features import FRESH_FEATURES
from assets.schemas.predictions import FRESH_PREDICTIONS, SCORES
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from ml.targets import MIN_COVERAGE, TARGETS
from resources.common.errors import BadInput
from resources.warehouse.session import run_script, set_variables, view, view_files


@table_asset(
    SCORES,
    group="marts",
    deps=[
        *(all_partitions(table) for table in (features, predictions, crates, texts)),
        fresh_features,
        fresh_predictions,
    ],
    kinds={"sql", "duckdb"},
    partitions=None,
    # the daily schedule may miss one day
    freshness=FreshnessPolicy.time_window(fail_window=timedelta(days=2)),
)
def scores(context: BuildContext) -> pa.Table:
    """The five scores of each crate, with evidence. A score without a champion, or with too little known about the
    crate, is null and listed in `unknown_scores`.

    Crates that changed since the newest snapshot, and crates that build on them, have scores as of that change.
    """
    dates = context.store.partitions("predictions")
    if not dates:
        raise BadInput("there are no predictions: materialize predictions of an as-of date first")
    newest = dates[-1]
    set_variables(context.con, as_of=newest)
    for table in ("features", "predictions"):
        view_files(context.con, f"daily_{table}", [context.store.require(table, newest).path])
    _attach_fresh(context)
    for table in ("crates", "texts"):
        view(context.con, context.store, table, snapshot_at_or_after(context.store, newest))
    set_variables(context.con, min_coverage=MIN_COVERAGE, targets=[t.name for t in TARGETS])
    wording = [{"target": t.name, "outcome": t.outcome, "more": t.more, "less": t.less} for t in TARGETS]
    context.con.register("wording_of_targets", pa.Table.from_pylist(wording))
    return run_script(context.con, SQL / "scores.sql")


def _attach_fresh(context: BuildContext) -> None:
    """Creates the views `features` and `predictions`: the daily rows, updated by events since the newest snapshot."""
    snapshot = context.store.require("snapshots", context.store.partitions("snapshots")[-1])
    for table in (FRESH_FEATURES, FRESH_PREDICTIONS):
        found = context.store.find(table.name, LATEST)
        if found and found.origin == snapshot.origin:
            view(context.con, context.store, table.name, LATEST)
        else:  # never built, or older than the newest snapshot
            context.con.register(table.name, table.arrow.empty_table())
    context.con.execute((SQL / "shared" / "with_fresh.sql").read_text())
