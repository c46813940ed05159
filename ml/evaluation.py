"""Evaluation: the metrics of every method on every slice of the crates of a test date."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, log_loss, roc_auc_score

from ml.bootstrap import calibration, interval, ranking, resample_weights

MODEL = "model"  # the method whose gain over every other is measured
TOP = {"100": 100, "500": 500}
TOP_SHARES = {"1pct": 0.01, "10pct": 0.1}
STRATA = {"0": (0, 0), "1_2": (1, 2), "0_2": (0, 2), "3_9": (3, 9), "10_99": (10, 99), "100": (100, np.inf)}
MIN_PER_CLASS = 2  # with fewer of a class no metric is defined
COLUMNS = ["method", "slice", "metric", "value", "low", "high", "crates", "positives"]

Figure = tuple[str, float, float, float]  # metric, value, low, high


@dataclass(frozen=True)
class MethodScore:
    """A method's score of each crate of the test, shape (crates,): a probability, or any number to rank by."""

    score: np.ndarray
    is_probability: bool


def oriented(score: np.ndarray, label: np.ndarray) -> np.ndarray:
    """`score`, or its negative if that has the higher ROC-AUC over all crates of the test.

    A formula for safety may rank popular crates first, where vulnerabilities are found. Each formula is evaluated in
    the direction that favours it, although the direction is chosen on the test's own labels.
    """
    return -score if roc_auc_score(label, score) < 0.5 else score


def slices_of(test: pd.DataFrame, seen_crates: set[str]) -> dict[str, np.ndarray]:
    """Masks over `test`, shape (crates,): crates that are new since training, and strata of popularity.

    A stratum is `dependents_<from>_<to>` in independent dependents; `dependents_100` has no upper end.
    """
    independent = test["dependents_independent"]
    strata = {f"dependents_{name}": independent.between(*ends).to_numpy() for name, ends in STRATA.items()}
    return {"new_crates": ~test["crate"].isin(seen_crates).to_numpy()} | strata


def evaluate(test: pd.DataFrame, methods: dict[str, MethodScore], slices: dict[str, np.ndarray]) -> pd.DataFrame:
    """The metrics of every method on every slice.

    Parameters
    ----------
    test : DataFrame
        Columns family and label (bool), one row per crate.
    methods : dict of str to MethodScore
        Scores in the order of `test`.
    slices : dict of str to bool array of shape (crates,)
        A slice with fewer than MIN_PER_CLASS crates of a class is left out.

    Returns
    -------
    DataFrame
        Columns method, slice, metric, value, low, high, crates, positives. `low` and `high` bound 95% of the resamples
        (see `ml.bootstrap`); they are null for metrics that are not resampled. `roc_auc_gain` and
        `average_precision_gain` of a method are the lead of the method "model" over it, on the same resamples.
    """
    tables = []
    for slice_, chosen in slices.items():
        label = test["label"].to_numpy(dtype=bool)[chosen]
        if min(label.sum(), (~label).sum()) < MIN_PER_CLASS:
            continue
        family = pd.factorize(test["family"].to_numpy()[chosen])[0]
        of_slice = {name: MethodScore(m.score[chosen], m.is_probability) for name, m in methods.items()}
        table = pd.DataFrame(_figures(label, family, of_slice), columns=["method", "metric", "value", "low", "high"])
        tables.append(table.assign(slice=slice_, crates=len(label), positives=int(label.sum())))
    return pd.concat(tables, ignore_index=True)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)


def _figures(label: np.ndarray, family: np.ndarray, methods: dict[str, MethodScore]) -> Iterator[tuple[str, *Figure]]:
    weights = resample_weights(family.max() + 1)
    ranked = {name: ranking(label, m.score, family, weights) for name, m in methods.items()}
    for name, method in methods.items():
        figures = [*_resampled(("roc_auc", "average_precision"), ranked[name]), *_at_top(label, method.score)]
        if name != MODEL and MODEL in ranked:
            figures += _resampled(("roc_auc_gain", "average_precision_gain"), ranked[MODEL] - ranked[name])
        if method.is_probability:
            figures += _of_probability(label, method.score)
            figures += _resampled(("brier_skill", "ece"), calibration(label, method.score, family, weights))
        yield from ((name, *figure) for figure in figures)


def _resampled(metrics: tuple[str, ...], figures: np.ndarray) -> Iterator[Figure]:
    """`figures` has one row per metric: the value, then one value per resample."""
    for metric, row in zip(metrics, figures):
        yield metric, float(row[0]), *interval(row)


def _at_top(label: np.ndarray, score: np.ndarray) -> Iterator[Figure]:
    # ties are broken by a fixed shuffle: the rows are in alphabetical order, which carries no information
    shuffled = np.random.default_rng(0).permutation(len(label))
    best = label[shuffled[np.argsort(-score[shuffled], kind="stable")]]
    sizes = TOP | {name: max(1, round(share * len(label))) for name, share in TOP_SHARES.items()}
    for name, size in sizes.items():
        if size <= len(label):
            yield f"precision_at_{name}", float(best[:size].mean()), np.nan, np.nan
            yield f"recall_at_{name}", float(best[:size].sum() / label.sum()), np.nan, np.nan


def _of_probability(label: np.ndarray, probability: np.ndarray) -> Iterator[Figure]:
    """Metrics of a probability that are not resampled.

    Accuracy uses the threshold 0.5, so that for rare outcomes it is close to the share of the majority class. Balanced
    accuracy uses the mean probability, the best threshold of a calibrated model; with 0.5 it would be close to 0.5 for
    any rare outcome, however good the model.
    """
    values = {
        "brier": brier_score_loss(label, probability),
        "log_loss": log_loss(label, probability),
        "accuracy": ((probability >= 0.5) == label).mean(),
        "majority_share": max(label.mean(), 1 - label.mean()),
        "balanced_accuracy": balanced_accuracy_score(label, probability > probability.mean()),
    }
    yield from ((metric, float(value), np.nan, np.nan) for metric, value in values.items())
