"""The `walk_forward` table."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from assets.features.features import features
from assets.features.labels import labels
from assets.partitions import all_partitions
from assets.predictions.evaluation import figures_of
from assets.predictions.report_tables import summary
from assets.predictions.training import learn
from assets.predictions.training_data import attach, folds_of
from assets.schemas.predictions import WALK_FORWARD
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from ml.datasets import Fold
from ml.targets import TARGETS, Target
from resources.common.errors import BadInput
from resources.tracking import BACKTEST, MODEL_ID, Tracking

if TYPE_CHECKING:
    import pandas as pd


@table_asset(
    WALK_FORWARD,
    group="predictions",
    deps=[all_partitions(features), all_partitions(labels)],
    kinds={"scikitlearn", "mlflow"},
    partitions=None,
)
def walk_forward(context: BuildContext, tracking: Tracking) -> pa.Table:
    """Trains anew for every date that has labels to test on, from what was known by then, and tests there. The last of
    each target is the model that `predictor` ships. Each test is a run of the MLflow experiment `backtest`."""
    import pandas as pd

    attach(context)
    found = [figures for target in TARGETS for figures in _tests(context, tracking, target)]
    if not found:
        raise BadInput("there is no date to test on: compute features and labels for more dates")
    rows = pd.concat(found, ignore_index=True).sort_values([*WALK_FORWARD.key])
    table = pa.Table.from_pandas(rows[WALK_FORWARD.arrow.names], WALK_FORWARD.arrow, preserve_index=False)
    context.notes["figures"] = summary(context.con, table)
    return table


def _tests(context: BuildContext, tracking: Tracking, target: Target) -> "Iterator[pd.DataFrame]":
    """The figures of each test date of a target; one for which there is too little to learn from is passed over."""
    try:
        steps = folds_of(context, target)
    except BadInput as error:
        context.log.warning(f"{error}")
        return
    for fold in steps:
        try:
            model = learn(context, target, fold)
        except ValueError as error:
            context.log.warning(f"{target.name} on {fold.test.as_of}: {error}")
            continue
        figures = figures_of(context, target, fold, model)
        if figures.empty:
            context.log.warning(
                f"{target.name}: {fold.test.as_of} has labels of one class only: nothing can be measured"
            )
            continue
        _log(tracking, target, fold, model.digest(), figures)
        context.log.info(f"{target.name}: tested on {fold.test.as_of}")
        yield figures.assign(
            target=target.name,
            horizon_days=target.horizon_days,
            test_as_of=fold.test.as_of,
            model_id=model.digest(),
        )


def _log(tracking: Tracking, target: Target, fold: Fold, model_id: str, figures: "pd.DataFrame") -> None:
    """Metrics by slice into an MLflow run of the test; of the same model on the same date there is one."""
    parameters = {
        "target": target.name,
        "test_as_of": str(fold.test.as_of),
        "horizon_days": str(target.horizon_days),
        "taught_by": ", ".join(f"{s.as_of} over {s.horizon_days} days" for s in fold.train) or "advisories so far",
        MODEL_ID: model_id,
    }
    ours = figures[figures["method"] == "model"]
    metrics = {f"{row.slice}.{row.metric}": float(row.value) for row in ours.itertuples()}
    tracking.log_once(BACKTEST, f"{target.name} {fold.test.as_of}", parameters, metrics)
