"""What every formula is made of: parts that count points, left out where their columns are not known."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Baseline:
    """A formula to compare with. Both functions take rows of `features`.

    `score` gives one number per row, shape (rows,), to rank by: higher for what the formula praises, of its own unit.
    `covers` says in words how much of the formula the known columns allow.
    """

    name: str
    score: Callable[[pd.DataFrame], np.ndarray]
    covers: Callable[[pd.DataFrame], str]


@dataclass(frozen=True)
class Part:
    """A part of a formula: worth `points`, of which `share` (0 to 1, one per row) is granted.

    Parts of one `topic` are told together. Of a row that lacks one of the columns it `needs`, the part is left out.
    """

    topic: str
    points: float
    needs: tuple[str, ...]
    share: Callable[[pd.DataFrame], pd.Series]


def is_known(f: pd.DataFrame, *columns: str) -> bool:
    """Whether the source has these columns: some row has a value."""
    return all(f[column].notna().any() for column in columns)


def known_parts(f: pd.DataFrame, parts: Iterable[Part]) -> list[Part]:
    """The parts whose columns the source has."""
    return [part for part in parts if is_known(f, *part.needs)]


def totals(f: pd.DataFrame, parts: Iterable[Part]) -> tuple[np.ndarray, np.ndarray]:
    """Points granted and points there were to get, each of shape (rows,): what is missing is in neither."""
    granted, available = np.zeros(len(f)), np.zeros(len(f))
    for part in known_parts(f, parts):
        present = f[list(part.needs)].notna().all(axis=1).to_numpy()
        share = part.share(f).to_numpy(dtype=float, na_value=np.nan)
        granted += np.where(present, part.points * share, 0)
        available += np.where(present, part.points, 0)
    return granted, available


def ratio(granted: np.ndarray, available: np.ndarray) -> np.ndarray:
    """Share of the points that were granted, 0 to 1; 0 where there were none to get."""
    return np.divide(granted, available, out=np.zeros(len(granted)), where=available > 0)


def in_words(f: pd.DataFrame, parts: Iterable[Part], of: float) -> str:
    """For example "23 of 109 points: maturity, release"; `of` is what the whole formula has."""
    known = known_parts(f, parts)
    topics = dict.fromkeys(part.topic for part in known)
    points = round(sum(part.points for part in known), 1)
    return f"{points:g} of {of:g} points: {', '.join(topics) or 'none'}"


def releases(f: pd.DataFrame, days: int) -> pd.Series:
    """Versions published in the last `days`: the middle of the bounds."""
    return (f[f"releases_{days}d_min"] + f[f"releases_{days}d_max"]) / 2


def owners(f: pd.DataFrame) -> pd.Series:
    """Users and teams that certainly owned it."""
    return f["owners_min"] + f["owner_teams_min"].fillna(0)


def yes(condition: pd.Series) -> pd.Series:
    """A share of all or nothing."""
    return condition.astype(float)
