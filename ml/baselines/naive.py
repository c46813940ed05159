"""Single signals: what a formula must beat to be worth having."""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline


def recency(f: pd.DataFrame) -> np.ndarray:
    """Days since the last release, the fewer the better."""
    return -f["days_since_release_min"].to_numpy(dtype=float)


def dependents(f: pd.DataFrame) -> np.ndarray:
    """Families that build on it now."""
    return f["dependents_independent"].to_numpy(dtype=float)


def momentum(f: pd.DataFrame) -> np.ndarray:
    """Families gained in 30 days, then all of them."""
    return (f["dependents_gained_recent"].fillna(0) + 0.01 * f["dependents_independent"]).to_numpy(dtype=float)


def past_advisories(f: pd.DataFrame) -> np.ndarray:
    """Vulnerability advisories so far: the more, the likelier the next."""
    return f["advisories"].to_numpy(dtype=float)


def tree_size(f: pd.DataFrame) -> np.ndarray:
    """Crates in its build: the more, the likelier that one of them is found vulnerable."""
    return f["transitive_dependencies"].to_numpy(dtype=float)


def release_rhythm(f: pd.DataFrame) -> np.ndarray:
    """Days since the last release over its own median interval, the less the better.

    Where too few dates are exact for a median: over its age divided by its versions; an interval is at least a day.
    """
    interval = f["release_interval_days"].fillna(f["age_days_min"] / f["versions"]).clip(lower=1)
    return -(f["days_since_release_min"] / interval).to_numpy(dtype=float)


def _rhythm_covers(f: pd.DataFrame) -> str:
    return f"all; the median interval of {f['release_interval_days'].notna().mean():.0%} of the crates, else the mean"


def _momentum_covers(f: pd.DataFrame) -> str:
    return "all" if f["dependents_gained_recent"].notna().any() else "dependents now; none gained are known"


SIGNALS = (
    *(
        Baseline(signal.__name__, signal, lambda f: "all")
        for signal in (recency, dependents, past_advisories, tree_size)
    ),
    Baseline("momentum", momentum, _momentum_covers),
    Baseline("release_rhythm", release_rhythm, _rhythm_covers),
)
