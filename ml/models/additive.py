"""The one form of every model: a sum of one step function per input, so that ranges and explanations are exact."""

import hashlib
import json

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from ml.features import Values, values_of


class Additive(ClassifierMixin, BaseEstimator):
    """A fitted additive model: numbers only, so that it is stored without running code.

    `steps[i]` are the inner edges of input i in rising order and `parts[i]` its effect in each interval, one more than
    edges: a value on an edge belongs to the interval below. `missing[i]` is its effect where it is not known. The sum
    with `intercept` is the log-odds (`link` "logit"), or the logarithm of the expected number of events ("log_hazard").
    """

    def __init__(self, inputs, steps, parts, missing, intercept, link):
        self.inputs, self.steps, self.parts = inputs, steps, parts
        self.missing, self.intercept, self.link = missing, intercept, link
        self.classes_ = np.array([0, 1])

    def effects(self, values: Values) -> np.ndarray:
        """Each input's effect, shape (rows, inputs)."""
        x = values.take(self.inputs).x
        found = np.empty(x.shape)
        for i, (edges, part) in enumerate(zip(self.steps, self.parts)):
            found[:, i] = part[edges.searchsorted(x[:, i])]
        unknown = np.isnan(x)  # sorted last, into the last interval
        found[unknown] = np.broadcast_to(self.missing, x.shape)[unknown]
        return found

    def ends(self, values: Values, effects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest effect of each input over all that it can be, each of shape (rows, inputs).

        Between its bounds where only those are known; anything, known or not, where it is missing. `effects` are those
        of the same values.
        """
        own = values.take(self.inputs)
        lowest, highest = effects.copy(), effects.copy()
        rows_of, inputs_of = np.nonzero(~(own.low == own.high))
        for i in np.unique(inputs_of):
            rows = rows_of[inputs_of == i]
            part = self.parts[i]
            low, high = own.low[rows, i], own.high[rows, i]
            first = np.where(np.isnan(low), 0, np.searchsorted(self.steps[i], low))
            last = np.where(np.isnan(high), len(part) - 1, np.searchsorted(self.steps[i], high))
            least, greatest = _extremes(part, first, np.maximum(first, last))
            lowest[rows, i] = np.minimum(lowest[rows, i], least)
            highest[rows, i] = np.maximum(highest[rows, i], greatest)
        return lowest, highest

    def probability(self, effects: np.ndarray, more: np.ndarray | float = 0.0) -> np.ndarray:
        """Of the event, from effects of shape (rows, inputs) and what else adds to their sum.

        Sums in one order whatever the memory layout, so that no rounding puts a point outside its range.
        """
        total = np.ascontiguousarray(effects).sum(axis=1) + self.intercept + more
        return expit(total) if self.link == "logit" else -np.expm1(-np.exp(total))

    def events(self, values: Values) -> np.ndarray:
        """The expected number of events of each row, for the link "log_hazard"."""
        return np.exp(np.ascontiguousarray(self.effects(values)).sum(axis=1) + self.intercept)

    def coverage(self, values: Values) -> np.ndarray:
        """The share of inputs known exactly, 0 to 1."""
        own = values.take(self.inputs)
        return (own.low == own.high).mean(axis=1)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """scikit-learn's form, shape (rows, 2): what MLflow serves. `frame` has features."""
        event = self.probability(self.effects(values_of(frame)))
        return np.column_stack([1 - event, event])

    def digest(self) -> str:
        """A hash of all that the model is."""
        numbers = [*self.steps, *self.parts, self.missing, [self.intercept]]
        text = json.dumps([self.link, self.inputs, *[[float(v).hex() for v in n] for n in numbers]])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def edges_of(x: np.ndarray, intervals: int) -> np.ndarray:
    """Inner edges that part the known values of one input into at most so many intervals of like counts."""
    known = x[~np.isnan(x)]
    distinct = np.unique(known)
    if len(distinct) <= intervals:
        return (distinct[:-1] + distinct[1:]) / 2
    return np.unique(np.quantile(known, np.linspace(0, 1, intervals + 1)[1:-1], method="lower"))


def _extremes(part: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest of `part` from `first` to `last`, both included, for each row."""
    padded = np.append(part, part[-1])
    pairs = np.column_stack([first, last + 1]).ravel()
    return np.minimum.reduceat(padded, pairs)[::2], np.maximum.reduceat(padded, pairs)[::2]
