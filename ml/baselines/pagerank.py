"""PageRank of the dependency graph (damping 0.85), as osendowment/model ranks crates; computed with the features.

Not weighted by downloads, and without its classes A to D, which only cut the rank.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline


def score(f: pd.DataFrame) -> np.ndarray:
    """1 is the average crate; shape (rows,)."""
    return f["pagerank"].to_numpy(dtype=float)


PAGERANK = Baseline("pagerank", score, lambda f: "the graph, without download weights")
