"""What the model is compared with: simple signals, and the peers' formulas as far as the registry index goes.

Each takes a frame of features and returns a score to rank by, higher for "will come true"; only `base_rate` is a
probability. A count over a window is taken in the middle of its bounds. Formulas: `reference/peer-baselines.md`.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

Scores = np.ndarray


def _window(f: pd.DataFrame, days: int) -> pd.Series:
    return (f[f"releases_{days}d_min"] + f[f"releases_{days}d_max"]) / 2


def recency(f: pd.DataFrame) -> Scores:
    """Time since the last release, the shorter the better."""
    return -f["days_since_release_min"].to_numpy()


def dependents(f: pd.DataFrame) -> Scores:
    """Independent dependents now."""
    return f["dependents_independent"].to_numpy()


def momentum(f: pd.DataFrame) -> Scores:
    """Independent dependents gained lately, then all of them."""
    return (f["dependents_gained_recent"].fillna(0) + 0.01 * f["dependents_independent"]).to_numpy()


def pagerank(f: pd.DataFrame) -> Scores:
    """PageRank without download weights."""
    return f["pagerank"].to_numpy()


def cargo_aprz(f: pd.DataFrame) -> Scores:
    """23 of its 109 points: maturity 11 and release 12; the gates on advisories and yanks set 0."""
    points = 5 * (f["age_days_min"] >= 180) + 5 * (f["age_days_min"] >= 365) + (f["major"] > 0)
    points = points + 7 * (_window(f, 365) >= 1) + 5 * (_window(f, 180) >= 1)
    gated = f["is_vulnerable"] | f["is_unmaintained"] | (f["advisories_unsound"] > 0) | f["all_yanked"]
    return np.where(gated, 0, points)


def source_rank(f: pd.DataFrame) -> Scores:
    """Libraries.io SourceRank without texts, repository and stars."""
    score = (
        (f["versions"] > 1).astype(int)
        + (_window(f, 180) >= 1)
        + (f["age_days_min"] > 180)
        + (f["major"] >= 1)
        + 2 * np.round(np.log10(f["dependents"].clip(lower=1)))
        - 2 * f["is_prerelease"].astype(int)
        - (f["dependencies_outdated"] > 0)
        - 5 * f["is_unmaintained"].astype(int)
        - 5 * f["all_yanked"].astype(int)
    )
    return score.clip(lower=0).to_numpy()


def npms_maintenance(f: pd.DataFrame) -> Scores:
    """npms.io maintenance: releases a quarter (weight 2 of 6); commits and issues are not in the index."""
    rate = (
        0.25 * _window(f, 30) * 3 + 0.45 * _window(f, 180) / 2 + 0.20 * _window(f, 365) / 4 + 0.10 * _window(f, 730) / 8
    )
    return np.interp(rate, [0, 0.5, 1, 2], [0, 0.5, 0.75, 1])


def criticality_score(f: pd.DataFrame) -> Scores:
    """OpenSSF criticality score: created, updated, releases last year, dependents (6.5 of 17 weights)."""

    def term(value: pd.Series, limit: float) -> pd.Series:
        return np.log1p(value.clip(lower=0)) / np.log1p(np.maximum(value.clip(lower=0), limit))

    updated = (120 - f["days_since_release_min"] / 30.44).clip(lower=0)
    weighted = (
        term(f["age_days_min"] / 30.44, 120)
        + term(updated, 120)
        + 0.5 * term(_window(f, 365), 26)
        + 4 * term(f["dependents"], 200_000)
    )
    return (weighted / 6.5).to_numpy()


BASELINES: dict[str, Callable[[pd.DataFrame], Scores]] = {
    b.__name__: b
    for b in (recency, dependents, momentum, pagerank, cargo_aprz, source_rank, npms_maintenance, criticality_score)
}
