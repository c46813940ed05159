"""Building blocks of the formulas: parts that grant points, excluded where their columns are missing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Baseline:
    """A formula to compare the model with, with a `description` for reports. Both functions take rows of `features`.

    `score` returns a number per row to rank by, shape (rows,), in the formula's own unit: the higher, the better.
    `covers` describes how much of the formula the known columns cover.
    """

    name: str
    description: str
    score: Callable[[pd.DataFrame], np.ndarray]
    covers: Callable[[pd.DataFrame], str]


@dataclass(frozen=True)
class Part:
    """A part of a formula, worth `points`; `share` returns how much of them each row gets, 0 to 1.

    Parts of one `topic` are described together. The part is excluded for rows where a column in `requires` is missing.
    """

    topic: str
    points: float
    requires: tuple[str, ...]
    share: Callable[[pd.DataFrame], pd.Series]


def is_known(f: pd.DataFrame, *columns: str) -> bool:
    """Whether the source has these columns: each has a value in some row."""
    return all(f[column].notna().any() for column in columns)


def known_parts(f: pd.DataFrame, parts: Iterable[Part]) -> list[Part]:
    """The parts whose columns the source has."""
    return [part for part in parts if is_known(f, *part.requires)]


def totals(f: pd.DataFrame, parts: Iterable[Part]) -> tuple[np.ndarray, np.ndarray]:
    """Points granted and points available, each of shape (rows,), without excluded parts."""
    granted, available = np.zeros(len(f)), np.zeros(len(f))
    for part in known_parts(f, parts):
        present = f[list(part.requires)].notna().all(axis=1).to_numpy()
        share = part.share(f).to_numpy(dtype=float, na_value=np.nan)
        granted += np.where(present, part.points * share, 0)
        available += np.where(present, part.points, 0)
    return granted, available


def ratio(granted: np.ndarray, available: np.ndarray) -> np.ndarray:
    """The share of the available points that was granted, 0 to 1; 0 where none were available."""
    return np.divide(granted, available, out=np.zeros(len(granted)), where=available > 0)


def coverage(f: pd.DataFrame, parts: Iterable[Part], of: float) -> str:
    """The covered points in words, such as "23 of 109 points: maturity, release"; `of` is the total of the formula."""
    known = known_parts(f, parts)
    topics = dict.fromkeys(part.topic for part in known)
    points = round(sum(part.points for part in known), 1)
    return f"{points:g} of {of:g} points: {', '.join(topics) or 'none'}"


def releases(f: pd.DataFrame, days: int) -> pd.Series:
    """Versions published in the last `days`: the midpoint of the bounds."""
    return (f[f"releases_{days}d_min"] + f[f"releases_{days}d_max"]) / 2


def owners(f: pd.DataFrame) -> pd.Series:
    """Users and teams that are known to have owned it."""
    return f["owners_min"] + f["owner_teams_min"].fillna(0)


def flag(condition: pd.Series) -> pd.Series:
    """1 where the condition holds, else 0."""
    return condition.astype(float)
