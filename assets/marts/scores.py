"""The `scores` table."""

from datetime import timedelta

import pyarrow as pa
from dagster import FreshnessPolicy

from assets.enrichment.texts import texts
from assets.features.features import features
from assets.point_in_time import snapshot_at_or_after
from assets.predictions.predictions import predictions
from assets.registry.crates import crates
from assets.schemas.predictions import SCORES
from assets.table_asset import SQL, Inputs, all_partitions, table_asset
from resources.errors import BadInput
from resources.session import run_script, set_variables, view


@table_asset(
    SCORES,
    group="marts",
    deps=[all_partitions(features), all_partitions(predictions), all_partitions(crates), all_partitions(texts)],
    kinds={"sql", "duckdb"},
    partitioned=False,
    # the daily schedule may miss one day
    freshness=FreshnessPolicy.time_window(fail_window=timedelta(days=2)),
)
def scores(inputs: Inputs) -> pa.Table:
    """The answer per crate. A score that no model predicts yet is null and named in `unknown_scores`."""
    dates = inputs.store.partitions("predictions")
    if not dates:
        raise BadInput("there are no predictions: materialize predictions of an as-of date first")
    newest = dates[-1]
    set_variables(inputs.con, as_of=newest)
    view(inputs.con, inputs.store, "predictions", newest)
    view(inputs.con, inputs.store, "features", newest)
    for table in ("crates", "texts"):
        view(inputs.con, inputs.store, table, snapshot_at_or_after(inputs.store, newest))
    return run_script(inputs.con, SQL / "scores.sql")
