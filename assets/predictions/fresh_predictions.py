"""The `fresh_predictions` table."""

import pyarrow as pa

from assets.features.fresh_features import fresh_features
from assets.partitions import LATEST, all_partitions
from assets.predictions.predictions import predict_by_champions, predictions
from assets.predictions.training_data import WITHOUT_LISTS
from assets.schemas.features import FRESH_FEATURES
from assets.schemas.predictions import FRESH_PREDICTIONS, PREDICTIONS
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from resources.common.errors import BadInput
from resources.tracking import Tracking
from resources.warehouse.session import first_row, run_script, set_variables, view, view_files


@table_asset(
    FRESH_PREDICTIONS,
    group="predictions",
    deps=[fresh_features, all_partitions(predictions)],
    kinds={"sql", "scikitlearn"},
    partitions=None,
)
def fresh_predictions(context: BuildContext, tracking: Tracking) -> pa.Table:
    """Predictions of the champions, like `predictions`. Percentiles and evidence compare with all crates of the newest
    full predictions, not with the few fresh ones."""
    con, store = context.con, context.store
    dates = store.partitions(PREDICTIONS.name)
    if not dates:
        raise BadInput("there are no full predictions to compare with: run score_crates for an as-of date first")
    fresh = store.require(FRESH_FEATURES.name, LATEST)
    context.origin = fresh.origin
    view(con, store, FRESH_FEATURES.name, LATEST)
    (as_of,) = first_row(con, "select max(as_of)::varchar from fresh_features") or (None,)
    if as_of is None:
        return FRESH_PREDICTIONS.arrow.empty_table()
    set_variables(con, as_of=as_of)
    view(con, store, "features", dates[-1])
    view_files(con, "full_predictions", [store.require(PREDICTIONS.name, dates[-1]).path])
    frame, peers = (
        con.sql(f"select {WITHOUT_LISTS} from {name} order by crate").df() for name in ("fresh_features", "features")
    )
    predict_by_champions(context, tracking, as_of, frame, peers, "select crate, build from fresh_features")
    con.execute("create temp view peers as select target, worst, is_good from full_predictions")
    return run_script(con, SQL / "predictions.sql")
