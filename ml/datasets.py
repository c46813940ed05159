"""Training and test sets: which dates and families a model is trained on, and which it is tested on."""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

from ml.targets import Target

if TYPE_CHECKING:
    import pandas as pd

FAMILY_FOLDS = 3  # a test uses this many models, each trained without the families of one fold


class TooFewDates(ValueError):
    """There are not enough labelled as-of dates to train on one and test on a later one."""


@dataclass(frozen=True, order=True)
class LabelSet:
    """The known labels of one as-of date over one horizon."""

    as_of: date
    horizon_days: int

    @property
    def known_on(self) -> date:
        """The date on which the labels became known."""
        return self.as_of + timedelta(days=self.horizon_days)


@dataclass(frozen=True)
class Fold:
    """One step of the walk-forward test: every label in `train` was known by the as-of date of `test`.

    The model may not predict any date before that.
    """

    train: tuple[LabelSet, ...]
    test: LabelSet


def folds(target: Target, labelled: list[LabelSet]) -> list[Fold]:
    """The walk-forward folds of a target, in order of time.

    Each date with labels over the target's horizon is a test date, if it is at least a fifth of the horizon away from
    the next: closer tests would measure nearly the same outcomes. The model is trained on the label sets known by then,
    one per date. A hazard model needs no labels: it is trained on the advisories known on the as-of date.

    Raises
    ------
    TooFewDates
        There is no fold.
    """
    tests = sorted(labels for labels in labelled if labels.horizon_days == target.horizon_days)
    found = [Fold(_training_sets(target, labelled, test.as_of), test) for test in tests]
    found = [fold for fold in found if fold.train or target.learner == "hazard"]
    if not found:
        days = " or ".join(map(str, target.training_horizons_days))
        raise TooFewDates(
            f"training needs an as-of date whose labels over {days or target.horizon_days} days were known by a later "
            f"as-of date with labels over {target.horizon_days} days; the labelled dates are "
            f"{', '.join(f'{s.as_of} over {s.horizon_days}' for s in sorted(labelled)) or 'none'}: "
            "materialize features and labels for more dates"
        )
    return _spaced(found, target.horizon_days / 5)


def _spaced(found: list[Fold], days: float) -> list[Fold]:
    """The newest fold, and each earlier one that is at least `days` before the next."""
    selected = [found[-1]]
    for fold in reversed(found[:-1]):
        if (selected[-1].test.as_of - fold.test.as_of).days >= days:
            selected.append(fold)
    return selected[::-1]


def _training_sets(target: Target, labelled: list[LabelSet], by: date) -> tuple[LabelSet, ...]:
    """Per date, the labels over the preferred horizon among those known by `by`."""
    known = [s for s in labelled if s.known_on <= by and s.horizon_days in target.training_horizons_days]
    known.sort(key=lambda s: (s.as_of, target.training_horizons_days.index(s.horizon_days)))
    preferred: dict[date, LabelSet] = {}
    for labels in known:
        preferred.setdefault(labels.as_of, labels)
    # trees train on the newest date only: the bundled registry knows older dates less exactly
    return tuple(preferred.values())[-1:] if target.learner == "boosted" else tuple(preferred.values())


def family_fold(families: "pd.Series") -> "pd.Series":
    """The fold of each family, 0 to FAMILY_FOLDS - 1: from a hash of the name, so the same in every run."""
    return families.map(_fold_of)


@cache
def _fold_of(family: str) -> int:
    return int(hashlib.sha256(family.encode()).hexdigest()[:8], 16) % FAMILY_FOLDS


def training_rows(frame: "pd.DataFrame", held_out: int | None = None) -> "pd.DataFrame":
    """The rows of `frame` to train on: each crate once per date, without the family fold `held_out`.

    Sorted by contents and family, not by crate, so that renaming a crate does not change the model.
    """
    chosen = frame if held_out is None else frame[family_fold(frame["family"]) != held_out]
    chosen = chosen.drop_duplicates(["as_of", "crate"])
    contents = [c for c in chosen if chosen[c].dtype.kind in "biufM"]
    return chosen.sort_values([*contents, "family"], kind="stable")
