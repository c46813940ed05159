"""Training of each kind of model: what it may use, and that the result is the same to the bit."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from ml.datasets import training_rows
from ml.features import NAMES, values_of
from ml.models import boosted as boosted_module
from ml.models.additive import Additive
from ml.models.boosted import family_weights, fit_boosted
from ml.models.hazard import PAST, fit_hazard, total_expected_events
from ml.models.tree_hazard import TreeHazard, fit_level
from testing.fitted_models import EXPOSURE, TARGET, boosted, frame, hazard, hidden, some

KINDS = ["boosted", "hazard"]
ROWS = 1500


def fit(kind: str, rows: pd.DataFrame) -> Additive:
    """Fits like `assets.predictions.training`."""
    if kind == "boosted":
        return fit_boosted(training_rows(rows), EXPOSURE)
    return fit_hazard(training_rows(rows), 365, level_of=rows)


def probability(model: Additive, rows: pd.DataFrame) -> np.ndarray:
    return model.probability(model.effects(values_of(rows)))


def alike_but_for_names(seed: int) -> pd.DataFrame:
    """Crates with many duplicates that differ only in name."""
    return pd.concat([frame(ROWS, seed)] * 2, ignore_index=True).assign(
        crate=[f"c{i}" for i in range(2 * ROWS)], family=[f"f{int(i**0.6)}" for i in range(2 * ROWS)]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_model_is_deterministic_and_depends_on_the_rows(kind: str) -> None:
    rows = frame(ROWS, 1)
    assert fit(kind, rows).digest() == fit(kind, rows.copy()).digest()
    assert fit(kind, rows).digest() != fit(kind, frame(ROWS, 2)).digest()


@pytest.mark.parametrize("kind", KINDS)
def test_duplicate_rows_of_a_crate_are_ignored(kind: str) -> None:
    rows = frame(ROWS, 1)
    twice = pd.concat([rows, rows[::-1]], ignore_index=True)
    model = fit(kind, rows)
    assert fit(kind, twice).digest() == model.digest()
    assert (probability(model, twice)[:ROWS] == probability(model, rows)).all()
    assert (probability(model, twice)[ROWS:] == probability(model, rows[::-1])).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [3, 4])
def test_crate_names_and_row_order_do_not_matter(kind: str, seed: int) -> None:
    """The families stay the same. Rows are sorted by name, as in every table."""
    rows = alike_but_for_names(seed)
    names = np.random.default_rng(seed).permutation(len(rows))
    renamed = rows.assign(crate=[f"other_{i:05}" for i in names]).sort_values("crate", ignore_index=True)
    model = fit(kind, rows)
    assert fit(kind, renamed).digest() == model.digest()
    assert (probability(model, renamed) == probability(model, rows)[np.argsort(names)]).all()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_step_functions_reproduce_the_boosted_trees(seed: int) -> None:
    """Including values on edges and missing values."""
    trees, model = boosted_trees(), boosted()
    rows = hidden(some(200, seed), list(model.inputs), seed)
    own = values_of(rows).take(model.inputs).x
    for i, edges in enumerate(model.steps):
        on_an_edge = np.random.default_rng(seed).random(len(own)) < 0.2
        own[on_an_edge, i] = edges[i % len(edges)]
    values = values_of(rows.assign(**dict(zip(model.inputs, own.T))))
    with threadpool_limits(1):
        expected = trees.decision_function(boosted_module._intervals(own, model.steps))
    np.testing.assert_allclose(model.effects(values).sum(axis=1) + model.intercept, expected, rtol=0, atol=1e-9)


@cache
def boosted_trees() -> HistGradientBoostingClassifier:
    """The trees that `boosted` was made from."""
    rows, model = frame(3000, 1), boosted()
    trees = HistGradientBoostingClassifier(**boosted_module.BOOSTING)
    x = boosted_module._intervals(values_of(rows).take(model.inputs).x, model.steps)
    with threadpool_limits(1):
        return trees.fit(x, rows["label"], sample_weight=family_weights(rows))


def test_boosted_model_separates_the_classes() -> None:
    chances = probability(boosted(), frame(2000, 9))
    label = frame(2000, 9)["label"].to_numpy()
    assert chances[label].mean() > chances[~label].mean() + 0.1
    assert chances.mean() == pytest.approx(label.mean(), abs=0.05)


@pytest.mark.parametrize("exposure", [20, 136])
def test_odds_are_scaled_to_the_horizon(exposure: int) -> None:
    rows, test = frame(ROWS, 1), some(50, 1)
    same_horizon = logit(probability(fit_boosted(rows, EXPOSURE), test))
    other_horizon = logit(probability(fit_boosted(rows.assign(exposure_days=exposure), EXPOSURE), test))
    np.testing.assert_allclose(other_horizon - same_horizon, np.log(EXPOSURE / exposure))


@pytest.mark.parametrize("label", [True, False])
def test_labels_of_one_class_raise(label: bool) -> None:
    with pytest.raises(ValueError, match="all 300 labels of the training dates are of one class"):
        fit_boosted(frame(300, 1).assign(label=label), EXPOSURE)


def test_family_weight_is_the_inverse_square_root_of_its_size() -> None:
    rows = pd.DataFrame({"as_of": [1] * 5 + [2], "family": ["a"] * 4 + ["b", "a"], "crate": list("vwxyzv")})
    assert family_weights(rows).tolist() == [0.5] * 4 + [1, 1]


def test_constant_and_missing_columns_are_not_inputs() -> None:
    rows = frame(ROWS, 1).assign(edition=np.nan, crate_size=7.0)
    for kind in KINDS:
        assert set(fit(kind, rows).inputs) <= set(NAMES) - {"edition", "crate_size"}


def test_past_advisories_raise_the_hazard() -> None:
    crates = some(30, 3)
    chances = [probability(hazard(), crates.assign(advisories=had)) for had in (0, 1, 2, 3)]
    assert (np.diff(chances, axis=0) > 0).all()
    assert (probability(hazard(), crates.assign(advisories=10**6)) >= chances[-1]).all()


@pytest.mark.parametrize("horizon", [365, 487, 43])
def test_hazard_level_is_that_of_the_last_365_days(horizon: int) -> None:
    rows = frame(ROWS, 2)
    affected = (rows["advisories_365d"] > 0).sum()
    assert affected > 10
    assert fit_hazard(rows, horizon).events(values_of(rows)).sum() == pytest.approx(affected * horizon / 365)
    half = fit_hazard(rows[::2], horizon, level_of=rows)
    assert half.events(values_of(rows)).sum() == pytest.approx(affected * horizon / 365)


def test_row_order_changes_no_bit_of_the_hazard_level() -> None:
    rows = frame(ROWS, 2)
    assert len({total_expected_events(hazard(), rows.sample(frac=1, random_state=i)) for i in range(10)}) == 1


def test_a_year_without_advisories_counts_as_one_affected_crate() -> None:
    rows = frame(ROWS, 2).assign(advisories_365d=0)
    assert fit_hazard(rows, 365).events(values_of(rows)).sum() == pytest.approx(1)


def test_a_date_without_advisories_raises() -> None:
    with pytest.raises(ValueError, match=r"none of 1,500 crates had a vulnerability advisory"):
        fit_hazard(frame(ROWS, 2).assign(**{PAST: 0, "advisories_365d": 0}), 365)


def test_expected_positive_builds_equal_the_observed_ones() -> None:
    rng = np.random.default_rng(0)
    sums = [rng.gamma(0.5, 0.1, 400), rng.gamma(0.5, 0.2, 300)]
    labels = [rng.random(len(s)) < 0.1 for s in sums]
    level = fit_level(sums, labels)
    expected = [TreeHazard(hazard(), level).probability(s).sum() for s in sums]
    assert sum(expected) == pytest.approx(sum(label.sum() for label in labels))
    assert {fit_level([rng.permutation(s) for s in sums], labels) for _ in range(20)} == {level}


@pytest.mark.parametrize("label", [True, False])
def test_builds_of_one_class_raise(label: bool) -> None:
    with pytest.raises(ValueError, match="of 9 builds: training needs both classes"):
        fit_level([np.full(9, 0.1)], [np.full(9, label)])


def test_crates_without_dependencies_are_not_at_risk_in_dependency_health() -> None:
    rows = some(100, 1)
    for target in TARGET.values():
        at_risk = target.at_risk(rows)
        alone = (rows["transitive_dependencies"] == 0).to_numpy()
        assert 10 < alone.sum() < 90
        assert (at_risk == (~alone if target.name == "dependency_health" else True)).all()


def test_digest_depends_on_every_parameter() -> None:
    model = hazard()
    base = model.get_params()
    changes: list[dict[str, Any]] = [
        {"intercept": base["intercept"] + 1e-15},
        {"link": "logit"},
        {"missing": base["missing"] + 1e-15},
        {"parts": [base["parts"][0] + 1e-15, *base["parts"][1:]]},
        {"steps": [base["steps"][0] + 1e-9, *base["steps"][1:]]},
        {"inputs": base["inputs"][::-1]},
    ]
    digests = {Additive(**{**base, **change}).digest() for change in [{}, *changes]}
    assert len(digests) == 1 + len(changes)
    assert model.digest() in digests
    trees = {TreeHazard(model, level).digest() for level in (1.0, 1.0 + 1e-15)}
    assert len(trees) == 2
