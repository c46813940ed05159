"""Libraries.io SourceRank: one point per signal, plus twice the order of magnitude of the dependents, at least 0.

Excluded: description, repository, README, licence, dependent repositories, stars, contributors, subscribers and
deprecation by the author. crates.io enforces semver versions; unmaintained crates are those of RustSec.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline, releases

COVERS = (
    "10 of 19 signals: more than one version, semver, a release in 6 months, a release older than 6 months, 1.0, "
    "dependents, only pre-releases, outdated dependency, unmaintained, removed"
)


def score(f: pd.DataFrame) -> np.ndarray:
    """A whole number of at least 0, higher for better, shape (rows,)."""
    granted = (
        1  # every version follows semver
        + (f["versions"] > 1).astype(int)
        + (releases(f, 180) >= 1)
        + (f["age_days_min"] > 180)
        + (f["major"] >= 1)
        + 2 * np.round(np.log10(f["dependents"].clip(lower=1)))
    )
    deducted = (
        2 * (f["prerelease_versions"] == f["versions"]).astype(int)
        + (f["dependencies_outdated"] > 0)
        + 5 * f["is_unmaintained"].astype(int)
        + 5 * f["all_yanked"].astype(int)
    )
    return (granted - deducted).clip(lower=0).to_numpy(dtype=float)


SOURCE_RANK = Baseline(
    "source_rank",
    "Libraries.io SourceRank: one point per signal, plus twice the order of magnitude of the dependents, at least 0.",
    score,
    lambda f: COVERS,
)
