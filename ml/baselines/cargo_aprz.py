"""cargo-aprz 1.0.0 with its default configuration: the share of points granted, and 0 if a gate fails.

Excluded: the licence gate, and all that needs the repository, docs.rs or the source code. Severities are not known:
every known vulnerability fails the gate (there, only critical and high ones), and the 11 points for no medium or low
vulnerability are excluded. Downloads of 90 days are extrapolated from 30 or 60 known days.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline, Part, coverage, flag, owners, ratio, releases, totals

POINTS = 109


def _downloads_90d(f: pd.DataFrame) -> pd.Series:
    return 3 * f[["downloads_30d", "downloads_previous_30d"]].astype(float).mean(axis=1)


PARTS = (
    Part("maturity", 5, ("age_days_min",), lambda f: flag(f["age_days_min"] >= 180)),
    Part("maturity", 5, ("age_days_min",), lambda f: flag(f["age_days_min"] >= 365)),
    Part("maturity", 1, ("major",), lambda f: flag(f["major"] > 0)),
    Part("usage", 5, ("downloads_30d",), lambda f: flag(_downloads_90d(f) >= 1_000)),
    Part("usage", 3, ("downloads_30d",), lambda f: flag(_downloads_90d(f) >= 5_000)),
    Part("usage", 2, ("downloads_30d",), lambda f: flag(_downloads_90d(f) >= 500_000)),
    Part("ownership", 9, ("owners_min",), lambda f: flag(owners(f) >= 2)),
    Part("release", 7, ("releases_365d_max",), lambda f: flag(releases(f, 365) >= 1)),
    Part("release", 5, ("releases_180d_max",), lambda f: flag(releases(f, 180) >= 1)),
)


def score(f: pd.DataFrame) -> np.ndarray:
    """0 to 100, higher for less risk, shape (rows,)."""
    gated = f["is_vulnerable"] | f["is_unmaintained"] | (f["advisories_unsound"] > 0) | f["all_yanked"]
    return np.where(gated, 0, 100 * ratio(*totals(f, PARTS)))


CARGO_APRZ = Baseline(
    "cargo_aprz",
    "cargo-aprz 1.0.0 with its default configuration: the share of points granted, and 0 if a gate fails.",
    score,
    lambda f: coverage(f, PARTS, POINTS) + "; gates on advisories of any severity and yanks",
)
