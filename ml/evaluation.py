"""How well scores foretold what came true: figures of every method on every slice of the test date's crates."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, log_loss, roc_auc_score

from ml.bootstrap import calibration, draws, interval, ranking

MODEL = "model"  # the method whose gain over every other is measured
TOP = {"100": 100, "500": 500}
TOP_SHARES = {"1pct": 0.01, "10pct": 0.1}
STRATA = {"0": (0, 0), "1_2": (1, 2), "0_2": (0, 2), "3_9": (3, 9), "10_99": (10, 99), "100": (100, np.inf)}
LEAST = 2  # of each class, or no metric is defined
COLUMNS = ["method", "slice", "metric", "value", "low", "high", "crates", "positives"]

Figure = tuple[str, float, float, float]  # metric, value, low, high


@dataclass(frozen=True)
class Scored:
    """What a method says of each crate of the test, shape (crates,): a probability, or any number to rank by."""

    score: np.ndarray
    is_probability: bool


def oriented(score: np.ndarray, label: np.ndarray) -> np.ndarray:
    """`score`, or its negative where that ranks all crates of the test better by ROC-AUC.

    A formula that claims safety may rank the popular first, where vulnerabilities are found. It is shown in the
    direction that favours it, though that is read from the test's own labels: no peer loses by a sign.
    """
    return -score if roc_auc_score(label, score) < 0.5 else score


def slices_of(test: pd.DataFrame, seen_crates: set[str]) -> dict[str, np.ndarray]:
    """Masks over `test`, shape (crates,): crates that are new since training, and strata of popularity.

    A stratum is `dependents_<from>_<to>` in independent dependents; `dependents_100` is open at the top.
    """
    independent = test["dependents_independent"]
    strata = {f"dependents_{name}": independent.between(*ends).to_numpy() for name, ends in STRATA.items()}
    return {"new_crates": ~test["crate"].isin(seen_crates).to_numpy()} | strata


def evaluate(test: pd.DataFrame, methods: dict[str, Scored], slices: dict[str, np.ndarray]) -> pd.DataFrame:
    """Figures of every method on every slice: columns method, slice, metric, value, low, high, crates, positives.

    `test` has columns family and label (bool); every score and mask is in its order. `low` and `high` bound 95 % of
    the resamples (see `ml.bootstrap`), null for metrics that are not resampled. `roc_auc_gain` and
    `average_precision_gain` of a method say how far "model" is ahead of it, on the same resamples. A slice with fewer
    than two crates of a class is left out.
    """
    tables = []
    for slice_, chosen in slices.items():
        label = test["label"].to_numpy(dtype=bool)[chosen]
        if min(label.sum(), (~label).sum()) < LEAST:
            continue
        family = pd.factorize(test["family"].to_numpy()[chosen])[0]
        of_slice = {name: Scored(m.score[chosen], m.is_probability) for name, m in methods.items()}
        table = pd.DataFrame(_figures(label, family, of_slice), columns=["method", "metric", "value", "low", "high"])
        tables.append(table.assign(slice=slice_, crates=len(label), positives=int(label.sum())))
    return pd.concat(tables, ignore_index=True)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)


def _figures(label: np.ndarray, family: np.ndarray, methods: dict[str, Scored]) -> Iterator[tuple[str, *Figure]]:
    drawn = draws(family.max() + 1)
    ranked = {name: ranking(label, m.score, family, drawn) for name, m in methods.items()}
    for name, method in methods.items():
        figures = [*_resampled(("roc_auc", "average_precision"), ranked[name]), *_at_top(label, method.score)]
        if name != MODEL and MODEL in ranked:
            figures += _resampled(("roc_auc_gain", "average_precision_gain"), ranked[MODEL] - ranked[name])
        if method.is_probability:
            figures += _of_probability(label, method.score)
            figures += _resampled(("brier_skill", "ece"), calibration(label, method.score, family, drawn))
        yield from ((name, *figure) for figure in figures)


def _resampled(metrics: tuple[str, ...], figures: np.ndarray) -> Iterator[Figure]:
    """`figures` has a row per metric: the value first, then one per resample."""
    for metric, row in zip(metrics, figures):
        yield metric, float(row[0]), *interval(row)


def _at_top(label: np.ndarray, score: np.ndarray) -> Iterator[Figure]:
    # ties are broken at random but always alike: the order of rows is the alphabet, which means nothing
    shuffled = np.random.default_rng(0).permutation(len(label))
    best = label[shuffled[np.argsort(-score[shuffled], kind="stable")]]
    sizes = TOP | {name: max(1, round(share * len(label))) for name, share in TOP_SHARES.items()}
    for name, size in sizes.items():
        if size <= len(label):
            yield f"precision_at_{name}", float(best[:size].mean()), np.nan, np.nan
            yield f"recall_at_{name}", float(best[:size].sum() / label.sum()), np.nan, np.nan


def _of_probability(label: np.ndarray, probability: np.ndarray) -> Iterator[Figure]:
    """Accuracy says "yes" from 0.5 on: of what is rare, next to never, so that it is little more than the majority's.

    Balanced accuracy says it above the mean probability, the threshold that serves it best if that is calibrated:
    at 0.5 it would be near 0.5 for whatever is rare, however well it is foretold.
    """
    values = {
        "brier": brier_score_loss(label, probability),
        "log_loss": log_loss(label, probability),
        "accuracy": ((probability >= 0.5) == label).mean(),
        "majority_share": max(label.mean(), 1 - label.mean()),
        "balanced_accuracy": balanced_accuracy_score(label, probability > probability.mean()),
    }
    yield from ((metric, float(value), np.nan, np.nan) for metric, value in values.items())
