"""cargo-aprz 1.0.0 with its default configuration: points granted over points to get, and 0 if a gate is shut.

Left out: the licence gate, and what needs the repository, docs.rs or the source code. Severities are not known, so
every known vulnerability shuts the gate, as critical and high ones do there, and the 11 points for none of medium or
low severity are not given. Downloads of 90 days are those of 30 (or 60) known days, made up to 90.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline, Part, in_words, owners, ratio, releases, totals, yes

POINTS = 109


def _downloads_90d(f: pd.DataFrame) -> pd.Series:
    return 3 * f[["downloads_30d", "downloads_previous_30d"]].astype(float).mean(axis=1)


PARTS = (
    Part("maturity", 5, ("age_days_min",), lambda f: yes(f["age_days_min"] >= 180)),
    Part("maturity", 5, ("age_days_min",), lambda f: yes(f["age_days_min"] >= 365)),
    Part("maturity", 1, ("major",), lambda f: yes(f["major"] > 0)),
    Part("usage", 5, ("downloads_30d",), lambda f: yes(_downloads_90d(f) >= 1_000)),
    Part("usage", 3, ("downloads_30d",), lambda f: yes(_downloads_90d(f) >= 5_000)),
    Part("usage", 2, ("downloads_30d",), lambda f: yes(_downloads_90d(f) >= 500_000)),
    Part("ownership", 9, ("owners_min",), lambda f: yes(owners(f) >= 2)),
    Part("release", 7, ("releases_365d_max",), lambda f: yes(releases(f, 365) >= 1)),
    Part("release", 5, ("releases_180d_max",), lambda f: yes(releases(f, 180) >= 1)),
)


def score(f: pd.DataFrame) -> np.ndarray:
    """0 to 100, higher for less risk; shape (rows,)."""
    gated = f["is_vulnerable"] | f["is_unmaintained"] | (f["advisories_unsound"] > 0) | f["all_yanked"]
    return np.where(gated, 0, 100 * ratio(*totals(f, PARTS)))


CARGO_APRZ = Baseline(
    "cargo_aprz", score, lambda f: in_words(f, PARTS, POINTS) + "; gates on advisories of any severity and yanks"
)
