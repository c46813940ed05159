"""The hazard of a whole build: P = 1 - product of (1 - hazard) over the crates in it, with one level for all builds.

Hazards add up, so the risk parts exactly among the crates of the build. Not every advisory affects the version that a
build resolves to, and one advisory hits many builds at once: `level` makes up for both.
"""

import hashlib

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from sklearn.base import BaseEstimator

from ml.models.additive import Additive


class TreeHazard(BaseEstimator):
    """`hazard` gives each crate's expected events; a build's are `level` times the sum over the crates in it."""

    def __init__(self, hazard: Additive, level: float):
        self.hazard, self.level = hazard, level

    def probability(self, sums: np.ndarray) -> np.ndarray:
        """Of meeting a vulnerability, from the sum of expected events over each build."""
        return -np.expm1(-self.level * np.asarray(sums, dtype=float))

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """scikit-learn's form, shape (rows, 2): what MLflow serves. `frame` has `events`, the sum over each build."""
        event = self.probability(frame["events"].to_numpy())
        return np.column_stack([1 - event, event])

    def digest(self) -> str:
        """A hash of all that the model is."""
        return hashlib.sha256(f"{self.hazard.digest()} {self.level.hex()}".encode()).hexdigest()[:16]


def fit_level(sums: list[np.ndarray], labels: list[np.ndarray]) -> float:
    """The level at which as many builds are expected to be hit as were, over several dates.

    `sums` are expected events over each build where as many crates are expected to be hit as were. Raises ValueError if
    no build was hit, or all were.
    """
    total, label = np.sort(np.concatenate(sums)), np.concatenate(labels)  # sorted: the order of rows changes no bit
    hit = int(label.sum())
    if not 0 < hit < (total > 0).sum():
        raise ValueError(f"{hit} of {len(label)} builds met a vulnerability: there is nothing to learn from that")
    return float(brentq(lambda level: -np.expm1(-level * total).sum() - hit, 1e-9, 1e9))
