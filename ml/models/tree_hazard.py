"""The hazard of a whole build: P = 1 - product of (1 - hazard) over the crates in it, with one level for all builds.

Hazards add up, so the risk of a build is exactly the sum over its crates. Not every advisory affects the version that
a build resolves to, and one advisory affects many builds at once: `level` corrects for both.
"""

import hashlib

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from sklearn.base import BaseEstimator

from ml.models.additive import Additive


class TreeHazard(BaseEstimator):
    """`hazard` predicts the expected events of a crate; those of a build are `level` times the sum over its crates."""

    def __init__(self, hazard: Additive, level: float):
        self.hazard, self.level = hazard, level

    def probability(self, sums: np.ndarray) -> np.ndarray:
        """The probability of a vulnerability in each build, from its sum of expected events, shape (builds,)."""
        return -np.expm1(-self.level * np.asarray(sums, dtype=float))

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """The probabilities of both classes, shape (builds, 2); MLflow serves it. `frame` has `events`, their sums."""
        event = self.probability(frame["events"].to_numpy())
        return np.column_stack([1 - event, event])

    def digest(self) -> str:
        """A hash of every parameter."""
        return hashlib.sha256(f"{self.hazard.digest()} {self.level.hex()}".encode()).hexdigest()[:16]


def fit_level(sums: list[np.ndarray], labels: list[np.ndarray]) -> float:
    """The level at which the expected number of positive builds, over several dates, equals the observed number.

    Parameters
    ----------
    sums : list of ndarray of shape (builds,)
        Expected events of each build, one array per date, scaled to the observed number of affected crates.
    labels : list of bool ndarray of shape (builds,)
        Whether a vulnerability was found in each build.

    Raises
    ------
    ValueError
        No build is positive, or every build with dependencies is.
    """
    total, label = np.sort(np.concatenate(sums)), np.concatenate(labels)  # sorted: the order of rows changes no bit
    positives = int(label.sum())
    if not 0 < positives < (total > 0).sum():
        raise ValueError(
            f"a vulnerability was found in {positives} of {len(label)} builds: training needs both classes"
        )
    return float(brentq(lambda level: -np.expm1(-level * total).sum() - positives, 1e-9, 1e9))
