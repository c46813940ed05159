"""Counterfactuals are the predictions of the model after the change, and only improvements are reported."""

from functools import cache

import pandas as pd
import pytest

from ml.counterfactuals import CHANGES, MIN_GAIN, RELEASE, counterfactuals, scenarios
from ml.features import values_of
from ml.models.additive import Additive
from ml.prediction import predict
from ml.targets import Target
from testing.fitted_models import TARGET, frame, model_of

ADDITIVE = [TARGET["maintenance"], TARGET["security"]]
BY_WORDS = {change.words: change for change in CHANGES}


@cache
def crates() -> pd.DataFrame:
    return frame(40, 11)


def predicted(target: Target, rows: pd.DataFrame) -> pd.DataFrame:
    model = model_of(target)
    assert isinstance(model, Additive)
    return predict(model, target, values_of(rows), model.effects(values_of(rows)))


@cache
def reported(target: Target) -> pd.DataFrame:
    """The counterfactuals of `crates`, by crate and change."""
    model = model_of(target)
    assert isinstance(model, Additive)
    worst = predicted(target, crates())["worst"].to_numpy()
    found = counterfactuals(model, target, worst, scenarios(crates()))
    return found.set_index(["row", "change"]).sort_index()


@cache
def after(target: Target) -> pd.DataFrame:
    """Probability and worst end after each change to each crate, one at a time, by crate and change."""
    rows = {}
    for i in range(len(crates())):
        crate = crates().iloc[[i]]
        for change in CHANGES:
            if change.applies(crate).item():
                rows[i, change.words] = predicted(target, crate.assign(**change.apply(crate))).iloc[0]
    found = pd.DataFrame(rows).T[["probability", "worst"]]
    found.index.names = ["row", "change"]
    return found.sort_index()


@pytest.mark.parametrize("target", ADDITIVE, ids=lambda t: t.name)
def test_counterfactual_equals_the_prediction_after_the_change(target: Target) -> None:
    found = reported(target)[["probability", "worst"]]
    pd.testing.assert_frame_equal(found, after(target).loc[reported(target).index], check_exact=True)


@pytest.mark.parametrize("target", ADDITIVE, ids=lambda t: t.name)
def test_every_change_that_improves_the_worst_end_is_reported_and_no_other(target: Target) -> None:
    """A release with more in it must improve it by more than the release alone."""
    sign = 1 if target.is_good else -1
    before = sign * predicted(target, crates())["worst"]
    expected = set()
    for row, change in after(target).index:
        to_beat = before[row]
        if change != RELEASE.words:
            to_beat = max(to_beat, sign * after(target).loc[(row, RELEASE.words), "worst"])
        if sign * after(target).loc[(row, change), "worst"] > to_beat + MIN_GAIN:
            expected.add((row, change))
    assert set(reported(target).index) == expected


def test_every_change_is_reported_for_some_crates_but_not_for_all() -> None:
    """Otherwise the tests above check nothing."""
    of_good = reported(TARGET["maintenance"]).groupby("change").size()
    assert set(of_good.index) == set(BY_WORDS)
    assert of_good[RELEASE.words] < len(crates())
    assert len(reported(TARGET["security"])) > 0


def test_changes_apply_only_to_crates_that_have_something_to_fix() -> None:
    plain = dict.fromkeys(["dependencies_outdated", "requirements_wildcard", "dependencies_unresolved"], 0)
    rows = crates().assign(**plain)
    assert [len(s.rows) for s in scenarios(rows)] == [len(rows), 0, 0, 0]
    model = model_of(TARGET["maintenance"])
    assert isinstance(model, Additive)
    worst = predicted(TARGET["maintenance"], rows)["worst"].to_numpy()
    found = counterfactuals(model, TARGET["maintenance"], worst, scenarios(rows))
    assert set(found["change"]) == {RELEASE.words}


def test_a_release_for_its_own_sake_is_not_advice() -> None:
    assert [change.words for change in CHANGES if not change.is_advice] == [RELEASE.words]
    is_advice = reported(TARGET["maintenance"]).reset_index().groupby("change")["is_advice"].unique()
    assert {change: flags.tolist() for change, flags in is_advice.items()} == {
        change.words: [change.is_advice] for change in CHANGES
    }


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.words)
def test_change_sets_only_its_own_columns(change) -> None:
    """A patch release today counts in every window and is certainly the last release."""
    rows = crates()[change.applies(crates())]
    then = rows.assign(**change.apply(rows))
    moved = {c: (then[c] - rows[c]).dropna().unique().tolist() for c in then if not then[c].equals(rows[c])}
    windows = {c for c in rows if c.startswith("releases_") and c.endswith(("d_min", "d_max"))}
    fixed = {
        "update the outdated dependencies and publish a release": "dependencies_outdated",
        "replace wildcard requirements with version ranges and publish a release": "requirements_wildcard",
        "replace the dependencies that have no matching version and publish a release": "dependencies_unresolved",
    }.get(change.words)
    last = {"days_since_release_min", "days_since_release_max"}
    assert set(moved) == windows | {"versions", "patch"} | last | ({fixed} if fixed else set())
    assert len(windows) == 10
    assert all(moved[c] == [1] for c in windows | {"versions", "patch"})
    assert (then[[*last, *([fixed] if fixed else [])]] == 0).all(axis=None)
