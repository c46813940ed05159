"""Explanations: how much each topic adds to a prediction. The effects add up to it exactly."""

import numpy as np
import pandas as pd

from ml.features import INPUTS, Values
from ml.models.additive import Additive

_TOPIC = {i.name: i.topic for i in INPUTS}


def explain(model: Additive, values: Values, effects: np.ndarray, average: np.ndarray) -> pd.DataFrame:
    """What each topic adds to each prediction.

    Parameters
    ----------
    model : Additive
        The fitted model.
    values : Values
        The inputs of each row.
    effects : ndarray of shape (rows, inputs)
        The effects of `model` on them.
    average : ndarray of shape (inputs,)
        The mean effects of the crates to compare with.

    Returns
    -------
    DataFrame
        One row per row of `values` and topic: row, topic, feature, value, low, high and effect. `effect` is what the
        topic's inputs add to the log-odds (or to the log hazard) compared with `average`; the effects of all topics add
        up to the row's difference from it. `feature` is the input with the strongest effect of the same sign; `value`,
        `low` and `high` are its value and bounds, NaN if missing.
    """
    own, moved = values.take(model.inputs), effects - average
    topics = np.asarray([_TOPIC[name] for name in model.inputs])
    names = np.asarray(model.inputs, dtype=object)
    rows = np.arange(len(own.x))
    found = []
    for topic in dict.fromkeys(topics):
        members = np.flatnonzero(topics == topic)
        effect = moved[:, members].sum(axis=1)
        # the strongest input with the sign of the topic's effect, known inputs before unknown ones
        strength = moved[:, members] * np.sign(effect)[:, None] - 1e3 * np.isnan(own.x[:, members])
        chosen = members[strength.argmax(axis=1)]
        columns = {
            "row": rows,
            "topic": topic,
            "feature": names[chosen],
            "value": own.x[rows, chosen],
            "low": own.low[rows, chosen],
            "high": own.high[rows, chosen],
            "effect": effect,
        }
        found.append(pd.DataFrame(columns))
    return pd.concat(found, ignore_index=True)
