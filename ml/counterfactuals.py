"""Counterfactuals: facts that a crate's owner can change, and the score that the model gives after each change.

The model knows correlations, not causes: a counterfactual is how the score would read, not what would happen.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml.features import Values, values_of
from ml.models.additive import Additive
from ml.targets import Target

MIN_GAIN = 0.01  # smallest improvement in probability that is reported


@dataclass(frozen=True)
class Change:
    """A change that an owner can make: `apply` returns the columns of `features` it sets, for crates where `applies`.

    `is_advice` is true for a change that is good practice whatever the model says. A release made only to move a
    score is not: its effect stays in the tables and is never recommended.
    """

    words: str
    is_advice: bool
    applies: Callable[[pd.DataFrame], pd.Series]
    apply: Callable[[pd.DataFrame], dict[str, pd.Series]]


def _release(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """A patch release on the as-of date."""
    counted = [c for c in frame if c.startswith("releases_") and c.endswith(("d_min", "d_max"))]
    zero = pd.Series(0.0, index=frame.index)
    return {
        **{c: frame[c] + 1 for c in counted},
        "versions": frame["versions"] + 1,
        "patch": frame["patch"] + 1,
        "days_since_release_min": zero,
        "days_since_release_max": zero,
    }


def _release_without(column: str) -> Callable[[pd.DataFrame], dict[str, pd.Series]]:
    """A patch release that also sets a count to 0."""
    return lambda frame: {**_release(frame), column: pd.Series(0, index=frame.index)}


def _is_counted(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda frame: frame[column] > 0


RELEASE = Change("publish a patch release", False, lambda frame: pd.Series(True, index=frame.index), _release)
CHANGES = (
    RELEASE,
    Change(
        "update the outdated dependencies and publish a release",
        True,
        _is_counted("dependencies_outdated"),
        _release_without("dependencies_outdated"),
    ),
    Change(
        "replace wildcard requirements with version ranges and publish a release",
        True,
        _is_counted("requirements_wildcard"),
        _release_without("requirements_wildcard"),
    ),
    Change(
        "replace the dependencies that have no matching version and publish a release",
        True,
        _is_counted("dependencies_unresolved"),
        _release_without("dependencies_unresolved"),
    ),
)


@dataclass(frozen=True)
class Scenario:
    """The crates (row numbers) that a change applies to, and their inputs after it."""

    change: Change
    rows: np.ndarray
    values: Values


def scenarios(frame: pd.DataFrame) -> list[Scenario]:
    """Every change, applied to every row of features that it applies to: the same for all models."""
    found = []
    for change in CHANGES:
        rows = np.flatnonzero(change.applies(frame).to_numpy(dtype=bool))
        selected = frame.iloc[rows]
        found.append(Scenario(change, rows, values_of(selected.assign(**change.apply(selected)))))
    return found


def counterfactuals(model: Additive, target: Target, worst: np.ndarray, changed: list[Scenario]) -> pd.DataFrame:
    """The changes that improve a score by more than MIN_GAIN.

    Parameters
    ----------
    model : Additive
        The fitted model of `target`.
    target : Target
        What the model predicts.
    worst : ndarray of shape (crates,)
        The worst end of each crate's score without any change.
    changed : list of Scenario
        The result of `scenarios` for the same crates.

    Returns
    -------
    DataFrame
        One row per crate and change: row (position in `worst`), change, is_advice, probability and worst after the
        change. A release with something else in it is listed only if it improves the score by more than a release
        alone.
    """
    sign = 1 if target.is_good else -1
    best = sign * worst
    found = []
    for scenario in changed:
        effects = model.effects(scenario.values)
        ends = model.probability(model.ends(scenario.values, effects)[0 if target.is_good else 1])
        improves = sign * ends - best[scenario.rows] > MIN_GAIN
        columns = {
            "row": scenario.rows[improves],
            "change": scenario.change.words,
            "is_advice": np.full(improves.sum(), scenario.change.is_advice),
            "probability": model.probability(effects)[improves],
            "worst": ends[improves],
        }
        found.append(pd.DataFrame(columns))
        if scenario.change is RELEASE:
            best[scenario.rows] = np.maximum(best[scenario.rows], sign * ends)
    return pd.concat(found, ignore_index=True)
