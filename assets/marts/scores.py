"""The `scores` table."""

from datetime import timedelta

import pyarrow as pa
from dagster import FreshnessPolicy

from assets.enrichment.texts import texts
from assets.features.features import features
from assets.features.fresh_features import fresh_features
from assets.point_in_time import snapshot_at_or_after
from assets.predictions.fresh_predictions import fresh_predictions
from assets.predictions.predictions import predictions
from assets.registry.crates import crates
from assets.schemas.features import FRESH_FEATURES
from assets.schemas.predictions import FRESH_PREDICTIONS, SCORES
from assets.table_asset import ONLY, SQL, Inputs, all_partitions, table_asset
from ml.targets import LEAST_COVERAGE, TARGETS
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
def scores(inputs: Inputs) -> pa.Table:
    """The answer per crate. A score that no model may predict, or of which too little is known, is null and named in
    `unknown_scores`.

    Scores of crates that an event touched since the newest snapshot, or that build on one, are as of that event.
    """
    dates = inputs.store.partitions("predictions")
    if not dates:
        raise BadInput("there are no predictions: materialize predictions of an as-of date first")
    newest = dates[-1]
    set_variables(inputs.con, as_of=newest)
    for table in ("features", "predictions"):
        view_files(inputs.con, f"daily_{table}", [inputs.store.need(table, newest).path])
    _attach_fresh(inputs)
    for table in ("crates", "texts"):
        view(inputs.con, inputs.store, table, snapshot_at_or_after(inputs.store, newest))
    set_variables(inputs.con, least_coverage=LEAST_COVERAGE, targets=[t.name for t in TARGETS])
    words = pa.Table.from_pylist([{"target": t.name, "more": t.more, "less": t.less} for t in TARGETS])
    inputs.con.register("wording_of_targets", words)
    return run_script(inputs.con, SQL / "scores.sql")


def _attach_fresh(inputs: Inputs) -> None:
    """Makes `features` and `predictions` visible: the daily ones, and what events since the newest snapshot changed."""
    snapshot = inputs.store.need("snapshots", inputs.store.partitions("snapshots")[-1])
    for table in (FRESH_FEATURES, FRESH_PREDICTIONS):
        found = inputs.store.find(table.name, ONLY)
        if found and found.origin == snapshot.origin:
            view(inputs.con, inputs.store, table.name, ONLY)
        else:  # never made, or what is fresh there is older than the snapshot
            inputs.con.register(table.name, table.arrow.empty_table())
    inputs.con.execute((SQL / "shared" / "with_fresh.sql").read_text())
