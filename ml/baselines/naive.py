"""Single signals: the simplest baselines."""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline


def recency(f: pd.DataFrame) -> np.ndarray:
    """Minus the days since the last release, shape (rows,)."""
    return -f["days_since_release_min"].to_numpy(dtype=float)


def dependents(f: pd.DataFrame) -> np.ndarray:
    """Families that depend on it now, shape (rows,)."""
    return f["dependents_independent"].to_numpy(dtype=float)


def momentum(f: pd.DataFrame) -> np.ndarray:
    """Families gained in 30 days plus 1% of all dependent families, shape (rows,)."""
    return (f["dependents_gained_recent"].fillna(0) + 0.01 * f["dependents_independent"]).to_numpy(dtype=float)


def past_advisories(f: pd.DataFrame) -> np.ndarray:
    """Vulnerability advisories so far, shape (rows,)."""
    return f["advisories"].to_numpy(dtype=float)


def tree_size(f: pd.DataFrame) -> np.ndarray:
    """Crates in its build, shape (rows,)."""
    return f["transitive_dependencies"].to_numpy(dtype=float)


def release_rhythm(f: pd.DataFrame) -> np.ndarray:
    """Minus the days since the last release divided by the crate's median release interval, shape (rows,).

    Where too few dates are exact for a median, the interval is age / versions; an interval is at least one day.
    """
    interval = f["release_interval_days"].fillna(f["age_days_min"] / f["versions"]).clip(lower=1)
    return -(f["days_since_release_min"] / interval).to_numpy(dtype=float)


def _rhythm_covers(f: pd.DataFrame) -> str:
    return f"all; the median interval for {f['release_interval_days'].notna().mean():.0%} of the crates, else the mean"


def _momentum_covers(f: pd.DataFrame) -> str:
    return "all" if f["dependents_gained_recent"].notna().any() else "dependents now; gains are not known"


SIGNALS = (
    *(
        Baseline(signal.__name__, description, signal, lambda f: "all")
        for signal, description in (
            (recency, "Days since the last release; fewer are better."),
            (dependents, "Families that depend on it now."),
            (past_advisories, "Vulnerability advisories so far: a crate that had one is more likely to get another."),
            (tree_size, "Crates in its build: with more crates, one is more likely to be found vulnerable."),
        )
    ),
    Baseline("momentum", "Families gained in 30 days, plus 1% of all dependent families.", momentum, _momentum_covers),
    Baseline(
        "release_rhythm",
        "Days since the last release divided by the crate's median release interval; less is better.",
        release_rhythm,
        _rhythm_covers,
    ),
)
