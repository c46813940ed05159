"""Predictions: the probability of a target for each crate, with its range over the unknown inputs."""

import numpy as np
import pandas as pd

from ml.features import Values
from ml.models.additive import Additive
from ml.models.tree_hazard import TreeHazard
from ml.targets import Target


def predict(model: Additive, target: Target, values: Values, effects: np.ndarray) -> pd.DataFrame:
    """The predictions of an additive model.

    Parameters
    ----------
    model : Additive
        The fitted model.
    target : Target
        What the model predicts.
    values : Values
        The inputs of each row.
    effects : ndarray of shape (rows, inputs)
        The effects of `model` on `values`.

    Returns
    -------
    DataFrame
        Columns probability, worst, best and coverage, each 0 to 1. `worst` and `best` are the ends of the range over
        every value that the inputs can have; for an unwanted outcome, the worst end is the highest probability.
    """
    lowest, highest = model.ends(values, effects)
    low, high = model.probability(lowest), model.probability(highest)
    worst, best = (low, high) if target.is_good else (high, low)
    return pd.DataFrame(
        {
            "probability": model.probability(effects),
            "worst": worst,
            "best": best,
            "coverage": model.coverage(values),
        }
    )


def predict_tree(model: TreeHazard, sums: pd.DataFrame) -> pd.DataFrame:
    """As `predict`, from sums over each build: columns events, events_low, events_high (expected events), coverage."""
    return pd.DataFrame(
        {
            "probability": model.probability(sums["events"].to_numpy()),
            "worst": model.probability(sums["events_high"].to_numpy()),
            "best": model.probability(sums["events_low"].to_numpy()),
            "coverage": sums["coverage"].to_numpy(),
        }
    )
