"""The `walk_forward` table."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from assets.features.features import features
from assets.features.labels import labels
from assets.partitions import all_partitions
from assets.predictions.evaluation import figures_of
from assets.predictions.report_tables import summary
from assets.predictions.training import train, trained_on
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
    """For every date with labels to test on, trains a model on what was known by then and tests it. The last model of
    each target is the one that `predictor` registers. Each test is a run of the MLflow experiment `backtest`."""
    import pandas as pd

    attach(context)
    found = [figures for target in TARGETS for figures in _tests(context, tracking, target)]
    if not found:
        raise BadInput("there is no date to test on: materialize features and labels for more dates")
    rows = pd.concat(found, ignore_index=True).sort_values([*WALK_FORWARD.key])
    table = pa.Table.from_pandas(rows[WALK_FORWARD.arrow.names], WALK_FORWARD.arrow, preserve_index=False)
    context.notes["figures"] = summary(context.con, table)
    return table


def _tests(context: BuildContext, tracking: Tracking, target: Target) -> "Iterator[pd.DataFrame]":
    """The figures of each test date of a target; dates without enough training data are skipped."""
    try:
        steps = folds_of(context, target)
    except BadInput as error:
        context.log.warning(f"{error}")
        return
    for number, fold in enumerate(steps, 1):
        try:
            model = train(context, target, fold)
        except ValueError as error:
            context.log.warning(f"{target.name} on {fold.test.as_of}: {error}")
            continue
        figures = figures_of(context, target, fold, model)
        if figures.empty:
            context.log.warning(f"{target.name}: skipped {fold.test.as_of}, since all its labels are of one class")
            continue
        _log(tracking, target, fold, model.digest(), figures)
        context.log.info(f"{target.name}: tested on {fold.test.as_of} ({number} of {len(steps)})")
        yield figures.assign(
            target=target.name,
            horizon_days=target.horizon_days,
            test_as_of=fold.test.as_of,
            model_id=model.digest(),
        )


def _log(tracking: Tracking, target: Target, fold: Fold, model_id: str, figures: "pd.DataFrame") -> None:
    """Logs metrics by slice to an MLflow run, one per model and test date."""
    parameters = {
        "target": target.name,
        "test_as_of": str(fold.test.as_of),
        "horizon_days": str(target.horizon_days),
        "trained_on": trained_on(fold),
        MODEL_ID: model_id,
    }
    model_rows = figures[figures["method"] == "model"]
    metrics = {f"{row.slice}.{row.metric}": float(row.value) for row in model_rows.itertuples()}
    tracking.log_once(BACKTEST, f"{target.name} {fold.test.as_of}", parameters, metrics)
