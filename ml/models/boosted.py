"""Boosted trees with one input each: an additive model, about as accurate on this data as trees that combine inputs."""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from ml.features import NAMES, known_inputs, matrix
from ml.models.additive import Additive, edges_of

INTERVALS = 128
# chosen on as-of dates up to 2020-05-24, not on the test dates (docs/predictions.md)
BOOSTING = {
    "max_iter": 150,
    "learning_rate": 0.05,
    "max_leaf_nodes": 4,
    "min_samples_leaf": 200,
    "l2_regularization": 5.0,
    "interaction_cst": "no_interactions",
    "early_stopping": False,
    "random_state": 0,
}


def fit_boosted(training: pd.DataFrame, horizon_days: int) -> Additive:
    """Trains an additive model with scikit-learn's gradient boosting.

    Parameters
    ----------
    training : DataFrame
        Features with `label` (bool) and `exposure_days`, the horizon of each label.
    horizon_days : int
        The horizon to predict. Odds are scaled in proportion from the mean of `exposure_days`.

    Raises
    ------
    ValueError
        All labels are of one class.
    """
    label = training["label"].to_numpy(dtype=bool)
    if label.all() or not label.any():
        raise ValueError(f"all {len(label)} labels of the training dates are of one class: training needs both")
    inputs = known_inputs(training, NAMES)
    x = matrix(training, inputs)
    steps = [edges_of(x[:, i], INTERVALS) for i in range(len(inputs))]
    trees = HistGradientBoostingClassifier(**BOOSTING)
    with threadpool_limits(1):  # with more, the order of sums and the last bits differ from run to run
        trees.fit(_intervals(x, steps), label, sample_weight=family_weights(training))
    intercept, parts = _shapes(trees, steps)
    exposure = training["exposure_days"].to_numpy(dtype=float).mean()
    return Additive(
        inputs, steps, parts, np.zeros(len(inputs)), float(intercept + np.log(horizon_days / exposure)), "logit"
    )


def family_weights(training: pd.DataFrame) -> np.ndarray:
    """1 / sqrt(size of the family on that date): 300 crates by one owner are not 300 independent observations."""
    size = training.groupby(["as_of", "family"])["crate"].transform("count")
    return 1 / np.sqrt(size.to_numpy(dtype=float))


def _intervals(x: np.ndarray, steps: list[np.ndarray]) -> np.ndarray:
    """The number of the interval of each value; NaN if missing."""
    columns = [np.where(np.isnan(x[:, i]), np.nan, np.searchsorted(edges, x[:, i])) for i, edges in enumerate(steps)]
    return np.column_stack(columns)


def _shapes(trees: HistGradientBoostingClassifier, steps: list[np.ndarray]) -> tuple[float, list[np.ndarray]]:
    """The log-odds of a row without known inputs, and what each interval of each input adds to it.

    The trees are additive, so predicting one row per interval, with all other inputs missing, gives each effect.
    """
    counts = [len(edges) + 1 for edges in steps]
    rows = np.full((1 + sum(counts), len(steps)), np.nan)
    start = 1
    for i, count in enumerate(counts):
        rows[start : start + count, i] = np.arange(count)
        start += count
    with threadpool_limits(1):
        raw = trees.decision_function(rows)
    return float(raw[0]), np.split(raw[1:] - raw[0], np.cumsum(counts)[:-1])
