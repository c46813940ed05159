"""What moved a prediction: effects that add up exactly to it."""

import numpy as np
import pandas as pd

from ml.features import INPUTS, Values
from ml.models.additive import Additive

_TOPIC = {i.name: i.topic for i in INPUTS}


def explain(model: Additive, values: Values, effects: np.ndarray, average: np.ndarray) -> pd.DataFrame:
    """One row per row of `values` and topic: row, topic, feature, value (NaN if missing) and effect.

    `effect` is what the topic's inputs add to the log-odds (or to the logarithm of the hazard) against `average`, the
    mean effects of the peers, shape (inputs,); `feature` is the input that tells it best. The effects of all topics add
    up to the row's difference from the peers.
    """
    x, moved = values.take(model.inputs).x, effects - average
    topics = np.asarray([_TOPIC[name] for name in model.inputs])
    names = np.asarray(model.inputs, dtype=object)
    rows = np.arange(len(x))
    found = []
    for topic in dict.fromkeys(topics):
        members = np.flatnonzero(topics == topic)
        effect = moved[:, members].sum(axis=1)
        # the strongest input that pulls the way the topic does, known before unknown
        pull = moved[:, members] * np.sign(effect)[:, None] - 1e3 * np.isnan(x[:, members])
        chosen = members[pull.argmax(axis=1)]
        columns = {"row": rows, "topic": topic, "feature": names[chosen], "value": x[rows, chosen], "effect": effect}
        found.append(pd.DataFrame(columns))
    return pd.concat(found, ignore_index=True)
