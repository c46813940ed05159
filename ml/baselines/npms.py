"""npms.io: its scores for maintenance and popularity, and dependency health, a part of its quality score.

Excluded: commits, issues, stars, the acceleration of downloads (which takes a year of them), and the minimum score of
"finished" packages, which needs README, tests and issues. The final curves over all packages are skipped: they are
monotone, so they do not change the rank of a single known part.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline, is_known, releases

RELEASE_WEIGHTS = {30: 0.25, 180: 0.45, 365: 0.20, 730: 0.10}


def maintenance(f: pd.DataFrame) -> np.ndarray:
    """Releases per quarter, weighted over windows, on npms's scale of 0 to 1, shape (rows,)."""
    rate = sum(weight * releases(f, days) * 90 / days for days, weight in RELEASE_WEIGHTS.items())
    return np.asarray(np.interp(rate, [0, 0.5, 1, 2], [0, 0.5, 0.75, 1]))


def popularity(f: pd.DataFrame) -> np.ndarray:
    """Downloads per month; without downloads, dependents, which npms's code has but does not use."""
    column = "downloads_30d" if is_known(f, "downloads_30d") else "dependents"
    return f[column].fillna(0).to_numpy(dtype=float)


def health(f: pd.DataFrame) -> np.ndarray:
    """Dependencies that are not outdated, vulnerable or unbounded, 0 to 1; 1 without dependencies; shape (rows,)."""
    count = f["dependencies_normal"] + f["dependencies_build"]
    allowed = np.maximum(2, count / 4)
    fresh = (1 - f["dependencies_outdated"] / allowed).clip(lower=0)
    safe = (1 - f["tree_vulnerable"] / allowed).clip(lower=0)
    unbounded = f["requirements_wildcard"] + f["requirements_unbounded"]
    return np.where(count == 0, 1.0, (0.5 * fresh + 0.5 * safe) / (unbounded + 1))


def _popularity_covers(f: pd.DataFrame) -> str:
    if is_known(f, "downloads_30d"):
        return "2 of 5 points: downloads"
    return "0 of 5 points: dependents instead of downloads"


NPMS = (
    Baseline(
        "npms_maintenance",
        "npms.io's maintenance: releases per quarter, weighted over windows.",
        maintenance,
        lambda f: "2 of 6 points: releases",
    ),
    Baseline(
        "npms_popularity",
        "npms.io's popularity: downloads per month, or dependents where there are none.",
        popularity,
        _popularity_covers,
    ),
    Baseline(
        "npms_health",
        "npms.io's dependency health: the share of dependencies that are not outdated, vulnerable or unbounded.",
        health,
        lambda f: "4 of 20 points of its quality: health, vulnerabilities of the whole tree",
    ),
)
