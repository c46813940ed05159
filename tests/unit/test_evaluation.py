"""Metrics of a backtest equal scikit-learn's, with intervals that resample families."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from ml.bootstrap import RESAMPLES, calibration, interval, ranking, resample_weights
from ml.evaluation import COLUMNS, MethodScore, evaluate, oriented, slices_of


def made(crates: int, families: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Crates whose labels depend on their family, and a probability that knows part of it."""
    rng = np.random.default_rng(seed)
    family = np.arange(crates) % families
    mood = rng.normal(size=families)[family]
    probability = 1 / (1 + np.exp(2 - mood))
    label = rng.random(crates) < 1 / (1 + np.exp(2 - mood - rng.normal(size=families)[family]))
    columns = {"crate": [f"c{i}" for i in range(crates)], "family": [f"f{i}" for i in family], "label": label}
    return pd.DataFrame(columns).assign(dependents_independent=np.arange(crates) % 120), probability


def everything(test: pd.DataFrame) -> dict[str, np.ndarray]:
    return {"all": np.ones(len(test), dtype=bool)}


def figures(test: pd.DataFrame, method: str = "model", **methods: MethodScore) -> pd.DataFrame:
    found = evaluate(test, methods, everything(test))
    return found[found["method"] == method].set_index("metric")


@pytest.mark.parametrize("levels", [1, 2, 7, 1000])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.9])
def test_ranking_equals_scikit_learn_with_ties_and_weights(levels: int, rate: float) -> None:
    rng = np.random.default_rng(levels)
    label, family = rng.random(600) < rate, rng.integers(0, 90, 600)
    score = rng.integers(0, levels, 600) + label * rng.integers(0, 2, 600) - 3.0
    weights = rng.integers(0, 4, (90, 20)).astype(float)
    found = ranking(label, score, family, weights)
    for column in range(20):
        weight = weights[family, column]
        assert found[0, column] == pytest.approx(roc_auc_score(label, score, sample_weight=weight), abs=1e-12)
        assert found[1, column] == pytest.approx(average_precision_score(label, score, sample_weight=weight), abs=1e-12)


def test_resample_without_a_class_is_nan() -> None:
    label, family = np.array([True, True, False, False]), np.array([0, 0, 1, 1])
    found = ranking(label, np.array([4.0, 3.0, 2.0, 1.0]), family, np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 2.0]]))
    assert found[0, 0] == 1
    assert np.isnan(found[0, 1:]).all()
    assert interval(found[0]) == pytest.approx((np.nan, np.nan), nan_ok=True)


def test_calibration_is_weighted() -> None:
    test, probability = made(500, 100)
    label, family = test["label"].to_numpy(), pd.factorize(test["family"])[0]
    weights = resample_weights(100)
    skill, error = calibration(label, probability, family, weights)
    for column in (0, 1, RESAMPLES):
        weight = weights[family, column]
        rate = np.average(label, weights=weight)
        brier = brier_score_loss(label, probability, sample_weight=weight)
        assert skill[column] == pytest.approx(1 - brier / (rate * (1 - rate)))
    bins = np.array_split(np.argsort(probability, kind="stable"), 10)
    assert error[0] == pytest.approx(sum(abs(label[b].mean() - probability[b].mean()) * len(b) for b in bins) / 500)


def test_calibration_error_of_known_cases() -> None:
    label, family = np.array([False] * 50 + [True] * 50), np.arange(100)
    assert calibration(label, np.full(100, 0.5), family, resample_weights(100))[1, 0] == pytest.approx(0.5)
    assert calibration(label, label.astype(float), family, resample_weights(100))[1, 0] == 0


def test_resampling_families_gives_wider_intervals_than_crates() -> None:
    test, probability = made(3000, 60)
    alone = test.assign(family=test["crate"])
    for metric in ("roc_auc", "average_precision", "brier_skill"):
        by_family = figures(test, model=MethodScore(probability, True)).loc[metric]
        by_crate = figures(alone, model=MethodScore(probability, True)).loc[metric]
        assert by_family["value"] == pytest.approx(by_crate["value"])
        assert by_family["high"] - by_family["low"] > 2 * (by_crate["high"] - by_crate["low"])
        assert by_family["low"] < by_family["value"] < by_family["high"]


def test_duplicating_every_crate_within_its_family_changes_nothing() -> None:
    test, probability = made(400, 80)
    once = figures(test, model=MethodScore(probability, True))
    twice = figures(pd.concat([test, test]), model=MethodScore(np.tile(probability, 2), True))
    for metric in ("roc_auc", "average_precision", "brier_skill"):
        ends = ["value", "low", "high"]
        assert once.loc[metric, ends].tolist() == pytest.approx(twice.loc[metric, ends].tolist())


def test_gains_are_paired_by_resample() -> None:
    test, probability = made(2000, 300)
    noisy = probability + np.random.default_rng(3).normal(0, 0.05, 2000)
    methods = {
        "model": MethodScore(probability, True),
        "same": MethodScore(10 * probability, False),
        "noisy": MethodScore(noisy, False),
    }
    same = figures(test, "same", **methods)
    for metric in ("roc_auc_gain", "average_precision_gain"):
        assert same.loc[metric, ["value", "low", "high"]].tolist() == [0, 0, 0]
    model, other = figures(test, "model", **methods), figures(test, "noisy", **methods)
    gain = other.loc["roc_auc_gain"]
    assert gain["value"] == pytest.approx(model.loc["roc_auc", "value"] - other.loc["roc_auc", "value"])
    assert gain["high"] - gain["low"] < model.loc["roc_auc", "high"] - model.loc["roc_auc", "low"]
    assert "roc_auc_gain" not in model.index


def test_perfect_and_constant_scores() -> None:
    test, _ = made(2000, 400)
    label = test["label"].to_numpy(dtype=float)
    perfect = figures(test, model=MethodScore(np.clip(label, 0.01, 0.99), True))["value"]
    assert perfect["roc_auc"] == perfect["average_precision"] == perfect["balanced_accuracy"] == 1
    assert perfect["precision_at_100"] == 1
    assert perfect["recall_at_10pct"] == pytest.approx(200 / label.sum())
    assert perfect["brier_skill"] > 0.99
    constant = figures(test, model=MethodScore(np.full(2000, label.mean()), True))["value"]
    assert constant["roc_auc"] == constant["balanced_accuracy"] == 0.5
    assert abs(constant["brier_skill"]) < 1e-9
    assert constant["accuracy"] == constant["majority_share"]


def test_rankings_have_no_probability_metrics() -> None:
    test, probability = made(300, 100)
    found = figures(test, "rank", rank=MethodScore(probability, False))
    assert not {"brier", "ece", "log_loss", "accuracy"} & set(found.index)
    assert "precision_at_500" not in found.index


def test_evaluation_is_deterministic() -> None:
    test, probability = made(500, 100)
    methods = {"model": MethodScore(probability, True), "rank": MethodScore(np.round(probability, 1), False)}
    found = evaluate(test, methods, everything(test))
    assert list(found.columns) == COLUMNS
    assert not found.duplicated(["method", "slice", "metric"]).any()
    pd.testing.assert_frame_equal(found, evaluate(test, methods, everything(test)), check_exact=True)


def test_slices_are_masks_and_slices_of_one_class_are_omitted() -> None:
    test, probability = made(1200, 200)
    slices = slices_of(test, set(test["crate"][:1000]))
    assert slices["new_crates"].sum() == 200
    assert (slices["dependents_0"] | slices["dependents_1_2"] == slices["dependents_0_2"]).all()
    strata = [mask for name, mask in slices.items() if name.startswith("dependents_") and name != "dependents_0_2"]
    assert (np.sum(strata, axis=0) == 1).all()
    assert slices["dependents_10_99"].sum() == 900
    test.loc[slices["dependents_0"], "label"] = False
    found = evaluate(test, {"model": MethodScore(probability, True)}, slices)
    assert set(found["slice"]) == set(slices) - {"dependents_0"}
    assert (found.loc[found["slice"] == "new_crates", "crates"] == 200).all()
    assert evaluate(test.assign(label=True), {"model": MethodScore(probability, True)}, slices).empty


def test_formula_is_oriented_in_its_favour() -> None:
    label = np.array([True, False, True, False])
    assert oriented(np.array([1.0, 2.0, 0.0, 3.0]), label).tolist() == [-1, -2, 0, -3]
    assert oriented(np.array([3.0, 2.0, 4.0, 1.0]), label).tolist() == [3, 2, 4, 1]
