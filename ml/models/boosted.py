"""Boosted trees, each on one input: as good as free ones on this data, and additive."""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from ml.features import NAMES, known_inputs, matrix
from ml.models.additive import Additive, edges_of

INTERVALS = 128
# chosen on as-of dates up to 2020-05-24, never on the test dates (docs/predictions.md)
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
    """Fits on a frame of features with bool `label` and `exposure_days`, the time that each label is over.

    Labels over another time than `horizon_days` are brought to it by odds in proportion. Raises ValueError if the
    labels have one class only.
    """
    label = training["label"].to_numpy(dtype=bool)
    if label.all() or not label.any():
        raise ValueError(f"the training dates have {len(label)} labels and only one class: there is nothing to learn")
    inputs = known_inputs(training, NAMES)
    x = matrix(training, inputs)
    steps = [edges_of(x[:, i], INTERVALS) for i in range(len(inputs))]
    trees = HistGradientBoostingClassifier(**BOOSTING)
    with threadpool_limits(1):  # the order of summing, and so every bit, is the same in every run
        trees.fit(_intervals(x, steps), label, sample_weight=family_weights(training))
    intercept, parts = _shapes(trees, steps)
    exposure = training["exposure_days"].to_numpy(dtype=float).mean()
    return Additive(
        inputs, steps, parts, np.zeros(len(inputs)), float(intercept + np.log(horizon_days / exposure)), "logit"
    )


def family_weights(training: pd.DataFrame) -> np.ndarray:
    """One over the root of the size of the family on that date: one owner's 300 crates are no 300 facts."""
    size = training.groupby(["as_of", "family"])["crate"].transform("count")
    return 1 / np.sqrt(size.to_numpy(dtype=float))


def _intervals(x: np.ndarray, steps: list[np.ndarray]) -> np.ndarray:
    """The number of the interval that each value falls in; NaN if missing."""
    columns = [np.where(np.isnan(x[:, i]), np.nan, np.searchsorted(edges, x[:, i])) for i, edges in enumerate(steps)]
    return np.column_stack(columns)


def _shapes(trees: HistGradientBoostingClassifier, steps: list[np.ndarray]) -> tuple[float, list[np.ndarray]]:
    """The log-odds where nothing is known, and what each interval of each input adds to it: the trees are additive, so
    one row per interval, all else missing, tells it."""
    counts = [len(edges) + 1 for edges in steps]
    rows = np.full((1 + sum(counts), len(steps)), np.nan)
    start = 1
    for i, count in enumerate(counts):
        rows[start : start + count, i] = np.arange(count)
        start += count
    with threadpool_limits(1):
        raw = trees.decision_function(rows)
    return float(raw[0]), np.split(raw[1:] - raw[0], np.cumsum(counts)[:-1])
