"""What would change a score is what the model really says after the change, and only what is worth telling."""

from functools import cache

import pandas as pd
import pytest

from ml.counterfactuals import CHANGES, LEAST_GAIN, RELEASE, counterfactuals, scenarios
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
def told(target: Target) -> pd.DataFrame:
    """What is told of `crates`, by crate and change."""
    model = model_of(target)
    assert isinstance(model, Additive)
    worst = predicted(target, crates())["worst"].to_numpy()
    found = counterfactuals(model, target, worst, scenarios(crates()))
    return found.set_index(["row", "change"]).sort_index()


@cache
def after(target: Target) -> pd.DataFrame:
    """Every change made to every crate one by one, by crate and change: its probability and worst end then."""
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
def test_what_is_told_is_what_the_model_says_after_the_change(target: Target) -> None:
    pd.testing.assert_frame_equal(told(target), after(target).loc[told(target).index], check_exact=True)


@pytest.mark.parametrize("target", ADDITIVE, ids=lambda t: t.name)
def test_all_is_told_that_betters_the_ranked_end_and_nothing_else(target: Target) -> None:
    """A release with more in it must better it more than the release alone."""
    sign = 1 if target.is_good else -1
    before = sign * predicted(target, crates())["worst"]
    expected = set()
    for row, change in after(target).index:
        beaten = before[row]
        if change != RELEASE.words:
            beaten = max(beaten, sign * after(target).loc[(row, RELEASE.words), "worst"])
        if sign * after(target).loc[(row, change), "worst"] > beaten + LEAST_GAIN:
            expected.add((row, change))
    assert set(told(target).index) == expected


def test_every_change_is_told_of_some_crate_and_not_of_all() -> None:
    """Or the tests above would judge nothing."""
    of_good = told(TARGET["maintenance"]).groupby("change").size()
    assert set(of_good.index) == set(BY_WORDS)
    assert of_good[RELEASE.words] < len(crates())
    assert len(told(TARGET["security"])) > 0


def test_only_what_a_crate_has_can_be_mended() -> None:
    plain = dict.fromkeys(["dependencies_outdated", "requirements_wildcard", "dependencies_unresolved"], 0)
    rows = crates().assign(**plain)
    assert [len(s.rows) for s in scenarios(rows)] == [len(rows), 0, 0, 0]
    model = model_of(TARGET["maintenance"])
    assert isinstance(model, Additive)
    worst = predicted(TARGET["maintenance"], rows)["worst"].to_numpy()
    found = counterfactuals(model, TARGET["maintenance"], worst, scenarios(rows))
    assert set(found["change"]) == {RELEASE.words}


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.words)
def test_a_change_changes_what_it_says_and_nothing_else(change) -> None:
    """A patch release of today counts in every window, and is the last release, surely."""
    rows = crates()[change.applies(crates())]
    then = rows.assign(**change.apply(rows))
    moved = {c: (then[c] - rows[c]).dropna().unique().tolist() for c in then if not then[c].equals(rows[c])}
    windows = {c for c in rows if c.startswith("releases_") and c.endswith(("d_min", "d_max"))}
    mended = {
        "release with its outdated dependencies updated": "dependencies_outdated",
        "release with bounds in place of wildcards": "requirements_wildcard",
        "release without the dependencies that no version left matches": "dependencies_unresolved",
    }.get(change.words)
    last = {"days_since_release_min", "days_since_release_max"}
    assert set(moved) == windows | {"versions", "patch"} | last | ({mended} if mended else set())
    assert len(windows) == 10
    assert all(moved[c] == [1] for c in windows | {"versions", "patch"})
    assert (then[[*last, *([mended] if mended else [])]] == 0).all(axis=None)
