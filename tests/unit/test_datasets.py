"""Training sets contain only labels known by the test date, and families are never split."""

from datetime import date, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.datasets import FAMILY_FOLDS, Fold, LabelSet, TooFewDates, family_fold, folds, training_rows
from ml.targets import TARGETS, Target
from testing.fitted_models import TARGET

START = date(2019, 11, 1)
POPULARITY, SECURITY, DEPENDENCIES = TARGET["popularity"], TARGET["security"], TARGET["dependency_health"]
# horizons of any target, and one of none
label_sets = st.builds(
    LabelSet,
    st.integers(0, 700).map(lambda days: START + timedelta(days)),
    st.sampled_from([*sorted({days for t in TARGETS for days in t.horizons}), 7]),
)


def known(*sets: tuple[int, int]) -> list[LabelSet]:
    """Label sets from (days after START, horizon in days)."""
    return [LabelSet(START + timedelta(day), horizon) for day, horizon in sets]


def shown(found: list[Fold]) -> list[tuple[list[tuple[int, int]], int]]:
    """The training sets of each fold, as in `known`, and the day of its test."""
    return [
        ([((s.as_of - START).days, s.horizon_days) for s in fold.train], (fold.test.as_of - START).days)
        for fold in found
    ]


@given(st.sampled_from(TARGETS), st.lists(label_sets, unique=True, max_size=30))
def test_training_uses_only_labels_known_by_the_test_date(target: Target, labelled: list[LabelSet]) -> None:
    try:
        found = folds(target, labelled)
    except TooFewDates:
        return
    for fold in found:
        assert all(s.as_of + timedelta(s.horizon_days) <= fold.test.as_of for s in fold.train)
        assert all(s in labelled and s.horizon_days in target.training_horizons_days for s in fold.train)
        assert [s.as_of for s in fold.train] == sorted({s.as_of for s in fold.train})
        assert fold.test in labelled
        assert fold.test.horizon_days == target.horizon_days
        assert fold.train or target.learner == "hazard"
    apart = [(b.test.as_of - a.test.as_of).days for a, b in pairwise(found)]
    assert all(days >= target.horizon_days / 5 for days in apart)


@given(st.sampled_from(TARGETS), st.lists(label_sets, unique=True, max_size=30))
def test_every_date_that_can_be_tested_is_a_test_date_or_shortly_before_one(
    target: Target, labelled: list[LabelSet]
) -> None:
    def can_train(labels: LabelSet, by: date) -> bool:
        return labels.horizon_days in target.training_horizons_days and labels.known_on <= by

    dates = {s.as_of for s in labelled if s.horizon_days == target.horizon_days}
    dates = {d for d in dates if target.learner == "hazard" or any(can_train(s, d) for s in labelled)}
    if not dates:
        with pytest.raises(TooFewDates):
            folds(target, labelled)
        return
    tested = {fold.test.as_of for fold in folds(target, labelled)}
    assert max(dates) in tested
    gap = target.horizon_days / 5
    assert all(d in tested or any(0 < (t - d).days < gap for t in tested) for d in dates)
    # every known label set is used, one per date; trees use only the newest
    for fold in folds(target, labelled):
        could = sorted({s.as_of for s in labelled if can_train(s, fold.test.as_of)})
        assert [s.as_of for s in fold.train] == (could[-1:] if target.learner == "boosted" else could)


def test_each_training_date_uses_its_preferred_known_horizon() -> None:
    labelled = known((0, 116), (0, 136), (10, 136), (140, 116), (300, 116))
    assert shown(folds(POPULARITY, labelled)) == [
        ([(0, 116)], 140),
        ([(140, 116)], 300),
    ]
    assert shown(folds(POPULARITY, known((0, 136), (10, 136), (147, 116)))) == [([(10, 136)], 147)]
    # 0 was known over 136 days on day 136, over 252 on day 252 and over 365 on day 365
    labelled = known((0, 136), (0, 252), (0, 365), (135, 365), (251, 365), (364, 365), (500, 365))
    assert shown(folds(DEPENDENCIES, labelled)) == [
        ([(0, 136)], 251),
        ([(0, 252)], 364),
        ([(0, 365), (135, 365)], 500),
    ]


def test_tests_are_at_least_a_fifth_of_the_horizon_apart() -> None:
    labelled = known((0, 43), *((day, 43) for day in range(43, 80)))
    assert [day for _, day in shown(folds(TARGET["maintenance"], labelled))] == [43, 52, 61, 70, 79]


def test_hazard_model_needs_no_training_labels() -> None:
    assert shown(folds(SECURITY, known((0, 487)))) == [([], 0)]


def test_too_few_dates_raise_with_the_labelled_dates() -> None:
    with pytest.raises(
        TooFewDates,
        match=r"labels over 116 or 136 days were known by a later as-of date with labels over 116 days; "
        r"the labelled dates are 2019-11-01 over 136, 2019-11-11 over 116: materialize features and labels for more",
    ):
        folds(POPULARITY, known((10, 116), (0, 136)))
    with pytest.raises(TooFewDates, match="labels over 487 days; the labelled dates are none"):
        folds(SECURITY, [])


def test_family_folds_are_whole_balanced_and_stable() -> None:
    families = pd.Series([f"f{i % 900}" for i in range(5000)])
    found = family_fold(families)
    assert (found.groupby(families).nunique() == 1).all()
    assert found.value_counts(normalize=True).between(0.28, 0.38).all()
    assert set(found) == set(range(FAMILY_FOLDS))
    assert (family_fold(families[::-1]).sort_index() == found).all()
    assert family_fold(pd.Series(["serde", "rand", "libc", "quote"])).tolist() == [0, 2, 1, 2]


@pytest.mark.parametrize("fold", [None, *range(FAMILY_FOLDS)])
def test_training_rows_exclude_the_fold_and_list_other_crates_once_per_date(fold: int | None) -> None:
    crates = pd.DataFrame({"crate": [f"c{i}" for i in range(300)], "family": [f"f{i // 3}" for i in range(300)]})
    dates = pd.concat([crates.assign(as_of=pd.Timestamp(2020, 5, day), x=range(300)) for day in (1, 9)])
    found = training_rows(pd.concat([dates, dates.sample(frac=0.5, random_state=0)], ignore_index=True), fold)
    expected = dates[family_fold(dates["family"]) != fold]
    key = ["as_of", "crate"]
    assert sorted(found[key].itertuples(index=False)) == sorted(expected[key].itertuples(index=False))
    assert len(expected) == 600 if fold is None else 300 < len(expected) < 500
