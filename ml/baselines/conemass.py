"""conemass (criticality_score #836): every crate divides one unit equally among itself and the crates of its build.

Computed with the features over whole trees, while the proposal stops at 200 crates. A crate's share of its own unit is
excluded, so that a crate without dependents has 0.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline


def score(f: pd.DataFrame) -> np.ndarray:
    """In builds that consist of this crate alone, shape (rows,)."""
    return f["conemass"].to_numpy(dtype=float)


CONEMASS = Baseline(
    "conemass",
    "conemass (criticality_score #836): every crate divides one unit equally among itself and the crates of its build.",
    score,
    lambda f: "all, without its limit of 200 crates per tree",
)
