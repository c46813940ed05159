"""conemass (criticality_score #836): every crate shares one unit equally among its build and itself.

Computed with the features over whole trees, where the proposal stops at 200 crates; a crate's share of its own unit is
left out, so that a crate that nobody builds on has none.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline


def score(f: pd.DataFrame) -> np.ndarray:
    """In builds that hold nothing else; shape (rows,)."""
    return f["conemass"].to_numpy(dtype=float)


CONEMASS = Baseline("conemass", score, lambda f: "all, without its cap of 200 crates a tree")
