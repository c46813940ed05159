"""How well scores foretold what came true."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from ml.baselines import BASELINES
from ml.split import held_out

BINS = 10
TOP = 500
LEAST = 2  # of each class, or no metric is defined


def evaluate(test: pd.DataFrame, probability: np.ndarray, base_rate: float, seen: set[str]) -> pd.DataFrame:
    """Metrics of the model, the base rate and every baseline on slices of the test date.

    `test` has features and `label`; `seen` are the crates known on the calibration date.
    Returns columns method, slice, metric, value, crates, positives.
    """
    methods = {"model": probability, "base_rate": np.full(len(test), base_rate)}
    methods |= {name: formula(test) for name, formula in BASELINES.items()}
    rows = []
    for slice_, chosen in _slices(test, seen):
        label = test["label"].to_numpy(dtype=bool)[chosen]
        if min(label.sum(), (~label).sum()) < LEAST:
            continue
        for method, score in methods.items():
            is_probability = method in ("model", "base_rate")
            rows += [
                (method, slice_, metric, value, len(label), int(label.sum()))
                for metric, value in _metrics(label, score[chosen], is_probability)
            ]
    return pd.DataFrame(rows, columns=["method", "slice", "metric", "value", "crates", "positives"])


def _slices(test: pd.DataFrame, seen: set[str]) -> Iterator[tuple[str, np.ndarray]]:
    yield "all", np.ones(len(test), dtype=bool)
    yield "unseen_families", held_out(test["family"]).to_numpy()
    yield "new_crates", ~test["crate"].isin(seen).to_numpy()
    yield "without_dependents", (test["dependents"] == 0).to_numpy()
    yield "with_10_dependents", (test["dependents"] >= 10).to_numpy()


def _metrics(label: np.ndarray, score: np.ndarray, is_probability: bool) -> Iterator[tuple[str, float]]:
    rate = label.mean()
    yield "roc_auc", roc_auc_score(label, score)
    yield "average_precision", average_precision_score(label, score)
    if len(label) >= TOP:
        # ties are broken at random but always alike: the order of rows is the alphabet, which means nothing
        shuffled = np.random.default_rng(0).permutation(len(label))
        top = shuffled[np.argsort(-score[shuffled], kind="stable")[:TOP]]
        yield f"precision_at_{TOP}", label[top].mean()
    if is_probability:
        yield "brier", brier_score_loss(label, score)
        yield "brier_skill", 1 - brier_score_loss(label, score) / (rate * (1 - rate))
        yield "log_loss", log_loss(label, score)
        yield "ece", expected_calibration_error(label, score)
        yield "accuracy", ((score >= 0.5) == label).mean()
        yield "majority_share", max(rate, 1 - rate)


def expected_calibration_error(label: np.ndarray, probability: np.ndarray) -> float:
    """Mean distance between predicted and observed share over bins of equal count."""
    order = np.argsort(probability, kind="stable")
    bins = np.array_split(order, BINS)
    return float(sum(len(b) * abs(label[b].mean() - probability[b].mean()) for b in bins if len(b)) / len(label))
