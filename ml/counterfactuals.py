"""What would change a prediction: facts that a crate's owner can make, each recomputed by the model.

The model knows what goes with what, not what causes what: a change says how the score would read the crate then.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml.features import Values, values_of
from ml.models.additive import Additive
from ml.targets import Target

LEAST_GAIN = 0.01  # of probability, or a change is not worth telling


@dataclass(frozen=True)
class Change:
    """A fact that an owner can make: `apply` gives the columns of `features` it sets, for crates where `applies`."""

    words: str
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


def _without(column: str) -> Callable[[pd.DataFrame], dict[str, pd.Series]]:
    """A release that also brings a count down to 0."""
    return lambda frame: {**_release(frame), column: pd.Series(0, index=frame.index)}


def _counted(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda frame: frame[column] > 0


RELEASE = Change("publish a patch release", lambda frame: pd.Series(True, index=frame.index), _release)
CHANGES = (
    RELEASE,
    Change(
        "release with its outdated dependencies updated",
        _counted("dependencies_outdated"),
        _without("dependencies_outdated"),
    ),
    Change(
        "release with bounds in place of wildcards",
        _counted("requirements_wildcard"),
        _without("requirements_wildcard"),
    ),
    Change(
        "release without the dependencies that no version left matches",
        _counted("dependencies_unresolved"),
        _without("dependencies_unresolved"),
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
        some = frame.iloc[rows]
        found.append(Scenario(change, rows, values_of(some.assign(**change.apply(some)))))
    return found


def counterfactuals(model: Additive, target: Target, worst: np.ndarray, changed: list[Scenario]) -> pd.DataFrame:
    """One row per row of `worst` (the worst ends as things are) and change that betters it: row, change, probability,
    worst.

    A change that holds a release and more must better the score more than the release alone: what is told is the
    smallest.
    """
    sign = 1 if target.is_good else -1
    best = sign * worst
    found = []
    for scenario in changed:
        effects = model.effects(scenario.values)
        ends = model.probability(model.ends(scenario.values, effects)[0 if target.is_good else 1])
        kept = sign * ends - best[scenario.rows] > LEAST_GAIN
        columns = {"probability": model.probability(effects)[kept], "worst": ends[kept]}
        found.append(pd.DataFrame({"row": scenario.rows[kept], "change": scenario.change.words, **columns}))
        if scenario.change is RELEASE:
            best[scenario.rows] = np.maximum(best[scenario.rows], sign * ends)
    return pd.concat(found, ignore_index=True)
