"""npms.io: its maintenance, its popularity, and the health of dependencies that is a part of its quality.

Its curves over all packages are left out: they never fall, so that where one part is known they change no rank.
Left out too are commits, issues, stars and the acceleration of downloads, which takes a year of them. The floor for
"finished" packages needs readme, tests and issues.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline, is_known, releases

RELEASE_WEIGHTS = {30: 0.25, 180: 0.45, 365: 0.20, 730: 0.10}


def maintenance(f: pd.DataFrame) -> np.ndarray:
    """Releases a quarter, weighted over windows, on npms's scale of 0 to 1; shape (rows,)."""
    rate = sum(weight * releases(f, days) * 90 / days for days, weight in RELEASE_WEIGHTS.items())
    return np.asarray(np.interp(rate, [0, 0.5, 1, 2], [0, 0.5, 0.75, 1]))


def popularity(f: pd.DataFrame) -> np.ndarray:
    """Downloads a month; where the source has none, dependents, which npms's code counts but had switched off."""
    column = "downloads_30d" if is_known(f, "downloads_30d") else "dependents"
    return f[column].fillna(0).to_numpy(dtype=float)


def health(f: pd.DataFrame) -> np.ndarray:
    """Dependencies neither outdated nor vulnerable nor unlocked, 0 to 1; 1 without dependencies; shape (rows,)."""
    count = f["dependencies_normal"] + f["dependencies_build"]
    allowed = np.maximum(2, count / 4)
    fresh = (1 - f["dependencies_outdated"] / allowed).clip(lower=0)
    safe = (1 - f["tree_vulnerable"] / allowed).clip(lower=0)
    unlocked = f["requirements_wildcard"] + f["requirements_unbounded"]
    return np.where(count == 0, 1.0, (0.5 * fresh + 0.5 * safe) / (unlocked + 1))


def _popularity_covers(f: pd.DataFrame) -> str:
    if is_known(f, "downloads_30d"):
        return "2 of 5 points: downloads"
    return "0 of 5 points: dependents in place of downloads"


NPMS = (
    Baseline("npms_maintenance", maintenance, lambda f: "2 of 6 points: releases"),
    Baseline("npms_popularity", popularity, _popularity_covers),
    Baseline(
        "npms_health", health, lambda f: "4 of 20 points of its quality: health, vulnerabilities of the whole tree"
    ),
)
