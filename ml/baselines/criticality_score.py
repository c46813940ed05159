"""OpenSSF criticality_score with its deps.dev weights: a weighted mean of logarithms relative to thresholds.

Excluded: contributors, organisations, commits, issues, comments and mentions.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline, Part, coverage, ratio, releases, totals

WEIGHTS = 13.5
DAYS_A_MONTH = 365.25 / 12


def _term(value: pd.Series, threshold: float) -> pd.Series:
    value = value.clip(lower=0)
    return np.log1p(value) / np.log1p(np.maximum(value, threshold))


PARTS = (
    Part("created", 1, ("age_days_min",), lambda f: _term(f["age_days_min"] / DAYS_A_MONTH, 120)),
    # the fewer months the better: the months left to the threshold count
    Part(
        "updated",
        1,
        ("days_since_release_min",),
        lambda f: _term(120 - f["days_since_release_min"] / DAYS_A_MONTH, 120),
    ),
    Part("releases", 0.5, ("releases_365d_max",), lambda f: _term(releases(f, 365), 26)),
    Part("dependents", 4, ("dependents",), lambda f: _term(f["dependents"], 200_000)),
)


def score(f: pd.DataFrame) -> np.ndarray:
    """0 to 1, higher for more critical, shape (rows,)."""
    return ratio(*totals(f, PARTS))


CRITICALITY_SCORE = Baseline(
    "criticality_score",
    "OpenSSF criticality_score with its deps.dev weights: a weighted mean of logarithms relative to thresholds.",
    score,
    lambda f: coverage(f, PARTS, WEIGHTS),
)
