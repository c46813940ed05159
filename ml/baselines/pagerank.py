"""PageRank of the dependency graph (damping 0.85), by which osendowment/model ranks crates; computed with the features.

Not weighted by downloads. Its classes A to D are left out, since they only divide the ranking.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline


def score(f: pd.DataFrame) -> np.ndarray:
    """1 is the average crate, shape (rows,)."""
    return f["pagerank"].to_numpy(dtype=float)


PAGERANK = Baseline(
    "pagerank",
    "PageRank of the dependency graph (damping 0.85), by which osendowment/model ranks crates.",
    score,
    lambda f: "the graph, without download weights",
)
