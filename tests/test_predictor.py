"""The predictor's promises: ranges that honour what is unknown, explanations that add up, no learning of names."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from ml.baselines import BASELINES
from ml.evaluate import evaluate, expected_calibration_error
from ml.inputs import INPUTS, NAMES, TOPICS, bounds
from ml.model import Trained, explain, predict, train
from ml.split import TooFewDates, held_out, split

COLUMNS = sorted({*NAMES, *(f"releases_{d}d_{end}" for d in (30, 90, 180, 365, 730) for end in ("min", "max"))})
EXTRA = ("age_days_max", "major", "all_yanked", "is_vulnerable", "advisories_unsound", "dependents", "is_unmaintained")


def frame(rows: int, seed: int) -> pd.DataFrame:
    """Features of made-up crates whose label follows their recent releases; used for rules, never for figures."""
    rng = np.random.default_rng(seed)
    made = pd.DataFrame({name: rng.gamma(0.6, 8, rows).round() for name in [*COLUMNS, *EXTRA]})
    for column in [c for c in made if c.endswith("_max") and c[:-4] + "_min" in made]:
        made[column] = made[column[:-4] + "_min"] + rng.integers(0, 4, rows)
    for flag in ("is_unmaintained", "is_prerelease", "all_yanked", "is_vulnerable"):
        made[flag] = rng.random(rows) < 0.1
    made["crate"] = [f"crate_{i}" for i in range(rows)]
    made["family"] = [f"family_{i % (rows // 3)}" for i in range(rows)]
    made["label"] = rng.random(rows) < 1 / (1 + np.exp(2 - 0.3 * made["releases_90d_min"].to_numpy()))
    made.loc[rng.random(rows) < 0.3, ["days_since_release_max", "release_interval_days"]] = np.nan
    return made


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(frame(3000, 1), frame(1500, 2))


def test_training_twice_gives_the_same_model(trained: Trained) -> None:
    assert train(frame(3000, 1), frame(1500, 2)).model_id == trained.model_id
    assert train(frame(3000, 3), frame(1500, 2)).model_id != trained.model_id


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True))
def test_hiding_an_input_never_raises_the_worst_end_nor_narrows_the_range(
    trained: Trained, seed: int, hidden: list[str]
) -> None:
    known = frame(30, seed)
    blind = known.copy()
    for name in hidden:
        blind[name] = blind[name].astype(float)
        blind[name] = np.nan
    before, after = predict(trained.pipeline, known), predict(trained.pipeline, blind)
    assert (after["worst"] <= before["worst"] + 1e-12).all()
    assert (after["best"] >= before["best"] - 1e-12).all()
    assert (after["coverage"] <= before["coverage"]).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_blurring_a_date_never_raises_the_worst_end(trained: Trained, seed: int, blur: int) -> None:
    """Counts known exactly against the same counts known by bounds around them."""
    exact = frame(30, seed)
    for column in [c for c in exact if c.startswith("releases_") and c.endswith("_max")]:
        exact[column] = exact[column[:-4] + "_min"]
    blurred = exact.copy()
    for column in [c for c in exact if c.startswith("releases_")]:
        step = blur if column.endswith("_max") else -blur
        blurred[column] = (blurred[column] + step).clip(lower=0)
    assert (predict(trained.pipeline, blurred)["worst"] <= predict(trained.pipeline, exact)["worst"] + 1e-12).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_probability_lies_in_its_range(trained: Trained, seed: int) -> None:
    found = predict(trained.pipeline, frame(50, seed))
    assert (found["worst"] <= found["probability"]).all()
    assert (found["probability"] <= found["best"]).all()


def test_bounds_enclose_what_was_given() -> None:
    made = frame(50, 5)
    low, high = bounds(made)
    assert list(low.columns) == list(high.columns) == NAMES
    assert not (low > high).any(axis=None)


def test_effects_add_up_to_the_prediction(trained: Trained) -> None:
    made = frame(200, 7)
    score = logit(predict(trained.pipeline, made)["probability"].to_numpy())
    evidence = explain(trained.pipeline, made, made)
    total = evidence.groupby(level=0)["effect"].sum().reindex(made.index).to_numpy()
    np.testing.assert_allclose(total, score - score.mean(), atol=1e-9)
    assert set(evidence["topic"]) == set(TOPICS)
    topic_of = {i.name: i.topic for i in INPUTS}
    assert (evidence["feature"].map(topic_of) == evidence["topic"]).all()


def test_renaming_crates_changes_nothing(trained: Trained) -> None:
    made = frame(100, 8)
    renamed = made.assign(crate=[f"other_{i}" for i in range(len(made))])
    pd.testing.assert_frame_equal(predict(trained.pipeline, made), predict(trained.pipeline, renamed))


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="the calibration dates have 300 labels and only one class"):
        train(frame(3000, 1), frame(300, 2).assign(label=False))


def test_split_keeps_time_order() -> None:
    days = [date(2020, 3, 26), date(2020, 4, 11), date(2020, 4, 25), date(2020, 5, 24), date(2020, 6, 7)]
    found = split(days, 43)
    assert (found.train, found.calibration, found.test) == ((days[0], days[1]), days[2], days[4])
    assert all(d + timedelta(days=43) <= found.test for d in (*found.train, found.calibration))
    assert found.known_through == date(2020, 7, 20)
    with pytest.raises(TooFewDates, match="needs two as-of dates"):
        split(days[-2:], 43)


def test_held_out_families_are_whole_and_the_same_everywhere() -> None:
    families = pd.Series([f"f{i % 500}" for i in range(5000)])
    held = held_out(families)
    assert held.groupby(families).nunique().max() == 1
    assert 0.2 < held.mean() < 0.4
    assert (held_out(families[::-1]).sort_index() == held).all()


def test_every_formula_ranks_every_crate() -> None:
    made = frame(200, 9)
    for name, formula in BASELINES.items():
        score = formula(made)
        assert score.shape == (200,), name
        assert np.isfinite(score).all(), name


def test_perfect_and_useless_scores_are_told_apart() -> None:
    test = frame(2000, 10)
    label = test["label"].to_numpy(dtype=float)
    perfect = evaluate(test, np.clip(label, 0.01, 0.99), label.mean(), set()).query(
        "slice == 'all' and method == 'model'"
    )
    figures = perfect.set_index("metric")["value"]
    assert figures["roc_auc"] == 1
    assert figures["brier_skill"] > 0.99
    constant = evaluate(test, np.full(2000, label.mean()), label.mean(), set()).query(
        "slice == 'all' and method == 'model'"
    )
    figures = constant.set_index("metric")["value"]
    assert figures["roc_auc"] == 0.5
    assert abs(figures["brier_skill"]) < 1e-9
    assert figures["accuracy"] == figures["majority_share"]


def test_calibration_error_of_a_known_case() -> None:
    label = np.array([False] * 50 + [True] * 50)
    assert expected_calibration_error(label, np.full(100, 0.5)) == pytest.approx(0.5, abs=0.01)
    assert expected_calibration_error(label, label.astype(float)) == 0
