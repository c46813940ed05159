"""From a model and features to a probability with its range."""

import numpy as np
import pandas as pd

from ml.features import Values
from ml.models.additive import Additive
from ml.models.tree_hazard import TreeHazard
from ml.targets import Target


def predict(model: Additive, target: Target, values: Values, effects: np.ndarray) -> pd.DataFrame:
    """One row per row of `values`: probability, worst, best and coverage, all 0 to 1. `effects` are the model's.

    `worst` and `best` are over every value that the inputs can have. For an outcome that nobody wants, the worst is
    the greatest probability.
    """
    lowest, highest = model.ends(values, effects)
    least, greatest = model.probability(lowest), model.probability(highest)
    worst, best = (least, greatest) if target.is_good else (greatest, least)
    return pd.DataFrame(
        {
            "probability": model.probability(effects),
            "worst": worst,
            "best": best,
            "coverage": model.coverage(values),
        }
    )


def predict_tree(model: TreeHazard, sums: pd.DataFrame) -> pd.DataFrame:
    """As `predict`, from the sums over each build: columns events, events_low, events_high and coverage."""
    return pd.DataFrame(
        {
            "probability": model.probability(sums["events"].to_numpy()),
            "worst": model.probability(sums["events_high"].to_numpy()),
            "best": model.probability(sums["events_low"].to_numpy()),
            "coverage": sums["coverage"].to_numpy(),
        }
    )
