"""The form of every model: a sum of one step function per input, so that ranges and explanations are exact.

scikit-learn keeps what `fit` learned in attributes that end in an underscore. Here the learned numbers are constructor
parameters, and learners are functions that return a model: a stored model has one class whichever learner made it, and
stays readable when a learner changes.
"""

import hashlib
import json

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from ml.features import Values, values_of


class Additive(ClassifierMixin, BaseEstimator):
    """A fitted additive model: only numbers, so that loading a stored one runs no code.

    Parameters
    ----------
    inputs : list of str
        Names of the inputs.
    steps : list of ndarray
        The inner edges of each input's intervals, ascending. A value on an edge belongs to the interval below.
    parts : list of ndarray
        The effect of each input in each of its intervals; it has one interval more than edges.
    missing : ndarray of shape (inputs,)
        The effect of each input where its value is missing.
    intercept : float
        Added to the sum of the effects.
    link : {"logit", "log_hazard"}
        What the sum is: the log-odds, or the logarithm of the expected number of events.
    """

    def __init__(self, inputs, steps, parts, missing, intercept, link):
        self.inputs, self.steps, self.parts = inputs, steps, parts
        self.missing, self.intercept, self.link = missing, intercept, link
        self.classes_ = np.array([0, 1])

    def effects(self, values: Values) -> np.ndarray:
        """The effect of each input, shape (rows, inputs)."""
        x = values.take(self.inputs).x
        found = np.empty(x.shape)
        for i, (edges, part) in enumerate(zip(self.steps, self.parts)):
            found[:, i] = part[edges.searchsorted(x[:, i])]
        unknown = np.isnan(x)  # sorted last, into the last interval
        found[unknown] = np.broadcast_to(self.missing, x.shape)[unknown]
        return found

    def ends(self, values: Values, effects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest effect of each input over the values it can have, each of shape (rows, inputs).

        An inexact input can have any value between its bounds; a missing one can have any value or none. `effects` are
        those of the same values.
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
            low, high = _extremes(part, first, np.maximum(first, last))
            lowest[rows, i] = np.minimum(lowest[rows, i], low)
            highest[rows, i] = np.maximum(highest[rows, i], high)
        return lowest, highest

    def probability(self, effects: np.ndarray) -> np.ndarray:
        """The probability of each row, shape (rows,), from effects of shape (rows, inputs).

        The order of the sum does not depend on the memory layout, so that rounding never puts a value out of its range.
        """
        total = np.ascontiguousarray(effects).sum(axis=1) + self.intercept
        return expit(total) if self.link == "logit" else -np.expm1(-np.exp(total))

    def events(self, values: Values) -> np.ndarray:
        """The expected number of events of each row, shape (rows,), for the link "log_hazard"."""
        return np.exp(np.ascontiguousarray(self.effects(values)).sum(axis=1) + self.intercept)

    def coverage(self, values: Values) -> np.ndarray:
        """The share of the inputs known exactly, 0 to 1, shape (rows,)."""
        own = values.take(self.inputs)
        return (own.low == own.high).mean(axis=1)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """The probabilities of both classes, shape (rows, 2), from a frame of features; MLflow serves this method."""
        event = self.probability(self.effects(values_of(frame)))
        return np.column_stack([1 - event, event])

    def digest(self) -> str:
        """A hash of every parameter."""
        numbers = [*self.steps, *self.parts, self.missing, [self.intercept]]
        text = json.dumps([self.link, self.inputs, *[[float(v).hex() for v in n] for n in numbers]])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def edges_of(x: np.ndarray, intervals: int) -> np.ndarray:
    """Inner edges that divide the known values of one input into at most `intervals` intervals of about equal count."""
    known = x[~np.isnan(x)]
    distinct = np.unique(known)
    if len(distinct) <= intervals:
        return (distinct[:-1] + distinct[1:]) / 2
    return np.unique(np.quantile(known, np.linspace(0, 1, intervals + 1)[1:-1], method="lower"))


def _extremes(part: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The minimum and maximum of `part` from `first` to `last`, both included, for each row."""
    padded = np.append(part, part[-1])
    pairs = np.column_stack([first, last + 1]).ravel()
    return np.minimum.reduceat(padded, pairs)[::2], np.maximum.reduceat(padded, pairs)[::2]
