"""The `backtests` table, and the check that promotes a challenger."""

from typing import TYPE_CHECKING

import pyarrow as pa
from dagster import AssetCheckResult, MetadataValue, ResourceParam, asset_check

from assets.partitions import LATEST
from assets.predictions.evaluation import figures_of, test_rows
from assets.predictions.predictor import CHALLENGER, CHAMPION, predictor
from assets.predictions.promotion import judge
from assets.predictions.report_tables import summary
from assets.predictions.training import event_probability
from assets.predictions.training_data import attach, folds_of
from assets.schemas.predictions import BACKTESTS
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from ml.targets import TARGETS, Target
from resources.common.errors import BadInput
from resources.tracking import MODEL_ID, ModelVersion, Tracking
from resources.warehouse.table_store import TableStore

if TYPE_CHECKING:
    import pandas as pd


@table_asset(BACKTESTS, group="predictions", deps=[predictor], kinds={"scikitlearn", "mlflow"}, partitions=None)
def backtests(context: BuildContext, tracking: Tracking) -> pa.Table:
    """The metrics of each challenger on the newest date with labels, next to those of the champion, the base rate,
    logistic regression, single signals and other tools' formulas. `walk_forward` has the earlier dates."""
    import pandas as pd

    attach(context)
    found = [figures for target in TARGETS if (figures := _backtest(context, tracking, target)) is not None]
    if not found:
        raise BadInput("no model was trained for the newest labels: materialize predictor first")
    rows = pd.concat(found, ignore_index=True).sort_values([*BACKTESTS.key])
    table = pa.Table.from_pandas(rows[BACKTESTS.arrow.names], BACKTESTS.arrow, preserve_index=False)
    context.notes["figures"] = summary(context.con, table)
    return table


def _backtest(context: BuildContext, tracking: Tracking, target: Target) -> "pd.DataFrame | None":
    challenger, champion = tracking.load(target.name, CHALLENGER), tracking.load(target.name, CHAMPION)
    if challenger is None:
        context.log.warning(f"{target.name}: not tested, since no model was trained")
        return None
    fold = folds_of(context, target)[-1]
    if str(fold.test.as_of) != challenger.tags["test_as_of"]:
        context.log.warning(
            f"{target.name}: not tested, since the labels of {fold.test.as_of} are newer than the model: "
            "materialize predictor again"
        )
        return None
    current = champion if champion and champion.version != challenger.version else None
    figures = figures_of(context, target, fold, challenger.model, current.model if current else None)
    if figures.empty:
        context.log.warning(f"{target.name}: not tested, since all labels of {fold.test.as_of} are of one class")
        return None
    _log(context, tracking, target, challenger, figures)
    return figures.assign(
        target=target.name,
        horizon_days=target.horizon_days,
        test_as_of=fold.test.as_of,
        model_id=challenger.tags[MODEL_ID],
    )


def _log(
    context: BuildContext, tracking: Tracking, target: Target, model: ModelVersion, figures: "pd.DataFrame"
) -> None:
    """Logs metrics by slice and plots to the MLflow run that trained the model."""
    import time

    from mlflow.entities import Metric

    from ml.plots import precision_recall, reliability

    client = tracking.start()
    model_rows = figures[figures["method"] == "model"]
    now = int(time.time() * 1000)
    client.log_batch(model.run_id, [Metric(f"{r.slice}.{r.metric}", r.value, now, 0) for r in model_rows.itertuples()])
    fold = folds_of(context, target)[-1]
    test = test_rows(context, target, fold)
    probability = event_probability(context, model.model, test, fold.test.as_of)
    label = test["label"].to_numpy()
    client.log_figure(model.run_id, reliability(label, probability), "reliability.png")
    client.log_figure(model.run_id, precision_recall(label, probability), "precision_recall.png")


@asset_check(
    asset=backtests,
    blocking=True,
    description="Promotes a challenger to champion if its log loss is lower than that of the base rate and of the "
    "current champion. Fails if no target has a champion, since nothing can be predicted then.",
)
def challenger_is_promoted(store: ResourceParam[TableStore], tracking: ResourceParam[Tracking]) -> AssetCheckResult:
    """Both models were tested on the same labels, the newest known ones, which neither was trained on."""
    import pandas as pd

    figures = pd.read_parquet(store.require(BACKTESTS.name, LATEST).path)
    client, verdicts = tracking.start(), {}
    for target in sorted(figures["target"].unique()):
        challenger = tracking.load(target, CHALLENGER)
        assert challenger, "it was tested"
        verdict = judge(figures[figures["target"] == target])
        if verdict.promoted:
            client.set_registered_model_alias(target, CHAMPION, challenger.version)
        client.set_model_version_tag(target, challenger.version, "verdict", verdict.words)
        verdicts[target] = verdict.words
    champions = [t.name for t in TARGETS if tracking.load(t.name, CHAMPION)]
    return AssetCheckResult(
        passed=bool(champions), metadata={name: MetadataValue.text(words) for name, words in verdicts.items()}
    )
