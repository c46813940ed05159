"""The `backtests` table."""

from typing import TYPE_CHECKING

import pyarrow as pa
from dagster import AssetCheckResult, asset_check

from assets.predictions.predictor import CHALLENGER, CHAMPION, predictor
from assets.predictions.training_data import attach, dates_of, frame
from assets.schemas.predictions import BACKTESTS
from assets.table_asset import ONLY, Inputs, table_asset
from ml.targets import TARGETS, Target
from resources.errors import BadInput
from resources.table_store import TableStore
from resources.tracking import MODEL_ID, Registered

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SLICE = "unseen_families"  # the slice that decides: crates whose projects training never saw


@table_asset(BACKTESTS, group="predictions", deps=[predictor], kinds={"scikitlearn", "mlflow"}, partitioned=False)
def backtests(inputs: Inputs) -> pa.Table:
    """How the challenger did on the newest labelled date, beside the base rate, simple signals and peers' formulas.

    A challenger that beats the base rate becomes the champion, which alone makes predictions.
    """
    import pandas as pd

    attach(inputs)
    found = pd.concat([_backtest(inputs, target) for target in TARGETS], ignore_index=True)
    inputs.notes["figures"] = _summary(found)
    order = [*BACKTESTS.key]
    return pa.Table.from_pandas(found.sort_values(order)[BACKTESTS.arrow.names], BACKTESTS.arrow, preserve_index=False)


def _backtest(inputs: Inputs, target: Target) -> "pd.DataFrame":
    from ml.evaluate import evaluate
    from ml.model import predict

    model = inputs.tools.tracking.load(target.name, CHALLENGER)
    if model is None:
        raise BadInput(f"there is no trained model for {target.name}: materialize predictor first")
    dates = dates_of(inputs, target)
    if str(dates.test) != model.tags["test_as_of"]:
        raise BadInput(
            f"{target.name}: labels of {dates.test} came after the model was trained: materialize predictor again"
        )
    test = frame(inputs, target, [dates.test])
    seen = set(frame(inputs, target, [dates.calibration])["crate"])
    probability = predict(model.pipeline, test)["probability"].to_numpy()
    figures = evaluate(test, probability, float(model.tags["base_rate"]), seen)
    if figures.empty:
        raise BadInput(f"{target.name}: {dates.test} has {len(test)} labels of one class only: nothing can be measured")
    _log(inputs, model, figures, test["label"].to_numpy(), probability)
    skill = figures.query("method == 'model' and metric == 'brier_skill'").set_index("slice")["value"]
    if skill.get(SLICE, skill["all"]) > 0:
        inputs.tools.tracking.start().set_registered_model_alias(target.name, CHAMPION, model.version)
    else:
        inputs.log.warning(f"{target.name}: the challenger does not beat the base rate and is not promoted")
    return figures.assign(
        target=target.name, horizon_days=target.horizon_days, test_as_of=dates.test, model_id=model.tags[MODEL_ID]
    )


def _log(
    inputs: Inputs, model: Registered, figures: "pd.DataFrame", label: "np.ndarray", probability: "np.ndarray"
) -> None:
    """Metrics and plots into the MLflow run that trained the model."""
    from ml.plots import precision_recall, reliability

    client = inputs.tools.tracking.start()
    ours = figures[figures["method"] == "model"]
    for row in ours.itertuples():
        client.log_metric(model.run_id, f"{row.slice}.{row.metric}", row.value)
    client.log_figure(model.run_id, reliability(label, probability), "reliability.png")
    client.log_figure(model.run_id, precision_recall(label, probability), "precision_recall.png")


def _summary(figures: "pd.DataFrame") -> str:
    chosen = figures[figures["slice"].isin([SLICE]) & figures["metric"].isin(["roc_auc", "average_precision"])]
    wide = chosen.pivot_table(index=["target", "method"], columns="metric", values="value").reset_index()
    lines = [" | ".join(wide.columns), " | ".join("---" for _ in wide.columns)]
    lines += [f"{r.target} | {r.method} | {r.average_precision:.3f} | {r.roc_auc:.3f}" for r in wide.itertuples()]
    return "\n".join(f"| {line} |" for line in lines)


@asset_check(asset=backtests, blocking=True, description="The model beats the base rate on families it never saw.")
def model_beats_base_rate(store: TableStore) -> AssetCheckResult:
    """Brier skill over 0 for every target, or nothing is predicted."""
    import pandas as pd

    figures = pd.read_parquet(store.need(BACKTESTS.name, ONLY).path)
    skill = figures.query("method == 'model' and metric == 'brier_skill' and slice == @SLICE").set_index("target")[
        "value"
    ]
    return AssetCheckResult(
        passed=set(skill.index) == {t.name for t in TARGETS} and bool((skill > 0).all()),
        metadata={f"{target}_brier_skill": float(value) for target, value in skill.items()},
    )
