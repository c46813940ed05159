"""Which dates and families train and test: later than, and apart from, each other."""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

from ml.targets import Target

if TYPE_CHECKING:
    import pandas as pd

FAMILY_FOLDS = 3  # tests are by as many models, each blind to the families of one fold


class TooFewDates(ValueError):
    """There are not enough labelled as-of dates to learn from one and test on a later."""


@dataclass(frozen=True, order=True)
class LabelSet:
    """The known labels of one as-of date over one horizon."""

    as_of: date
    horizon_days: int

    @property
    def known_on(self) -> date:
        """The date on which the labels could be known."""
        return self.as_of + timedelta(days=self.horizon_days)


@dataclass(frozen=True)
class Fold:
    """One step of the walk forward: all that teaches was known by the as-of date of the test, so no earlier date may be
    predicted."""

    teach: tuple[LabelSet, ...]
    test: LabelSet


def folds(target: Target, labelled: list[LabelSet]) -> list[Fold]:
    """The walk forward of a target, in order of time: dates with labels of its horizon, and what taught by then, one
    set of labels per date. Tests stand a fifth of the horizon apart, or they would tell the same twice.

    A hazard learns from the advisories known on the as-of date itself, so it needs no labels. Raises TooFewDates if
    there is no fold.
    """
    tests = sorted(labels for labels in labelled if labels.horizon_days == target.horizon_days)
    found = [Fold(_teach(target, labelled, test.as_of), test) for test in tests]
    found = [fold for fold in found if fold.teach or target.learner == "hazard"]
    if not found:
        days = " or ".join(map(str, target.training_horizons_days))
        raise TooFewDates(
            f"training needs an as-of date whose labels over {days or target.horizon_days} days were known by a later "
            f"one with labels over {target.horizon_days} days; labelled are "
            f"{', '.join(f'{s.as_of} over {s.horizon_days}' for s in sorted(labelled)) or 'none'}: "
            "compute features and labels for more dates"
        )
    return _apart(found, target.horizon_days / 5)


def _apart(found: list[Fold], days: float) -> list[Fold]:
    """The newest, and those before it that are so many days from the next."""
    kept = [found[-1]]
    for fold in reversed(found[:-1]):
        if (kept[-1].test.as_of - fold.test.as_of).days >= days:
            kept.append(fold)
    return kept[::-1]


def _teach(target: Target, labelled: list[LabelSet], by: date) -> tuple[LabelSet, ...]:
    """Per date, the labels over the best horizon that was known by then."""
    known = [s for s in labelled if s.known_on <= by and s.horizon_days in target.training_horizons_days]
    known.sort(key=lambda s: (s.as_of, target.training_horizons_days.index(s.horizon_days)))
    best: dict[date, LabelSet] = {}
    for labels in known:
        best.setdefault(labels.as_of, labels)
    # trees learn from the newest alone: the older, the less exact is what the bundled facts know of a date
    return tuple(best.values())[-1:] if target.learner == "boosted" else tuple(best.values())


def family_fold(families: "pd.Series") -> "pd.Series":
    """The fold, 0 to FAMILY_FOLDS - 1, of each crate's family: by hash, so the same in every run."""
    return families.map(_fold_of)


@cache
def _fold_of(family: str) -> int:
    return int(hashlib.sha256(family.encode()).hexdigest()[:8], 16) % FAMILY_FOLDS


def teaching(frame: "pd.DataFrame", blind_to: int | None = None) -> "pd.DataFrame":
    """The rows of `frame` that may teach: each crate once per date, and none of the family fold `blind_to`.

    The order is that of the contents and the family, not of the names, so that a renamed crate changes nothing.
    """
    chosen = frame if blind_to is None else frame[family_fold(frame["family"]) != blind_to]
    chosen = chosen.drop_duplicates(["as_of", "crate"])
    contents = [c for c in chosen if chosen[c].dtype.kind in "biufM"]
    return chosen.sort_values([*contents, "family"], kind="stable")
