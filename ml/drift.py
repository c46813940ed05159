"""Drift: whether inputs and scores are still distributed as in the model's test, and whether predictions come true."""

import numpy as np

from ml.bootstrap import calibration
from ml.models.additive import edges_of

BINS = 10
MIN_SHARE = 1e-4  # an empty bin counts as this share, since the logarithm of 0 is not defined
MAX_PSI = 0.25
MAX_ECE = 0.02  # the limit for every target
MAX_CALIBRATION_RATIO = 1.5  # of predicted to observed events or the reverse: years differ by less than that
MIN_EVENTS = 30  # predicted or observed; with fewer, chance alone reaches MAX_CALIBRATION_RATIO
# share of a target's inputs that must drift before it is retrained; a drifted score or calibration is enough by itself.
# A change in how exactly the source knows dates moves a fifth of the inputs while the crates stay the same
MIN_DRIFTED_SHARE = 1 / 3


def stability_index(reference: np.ndarray, now: np.ndarray) -> float:
    """The population stability index of two samples of one quantity, NaN where missing: 0 if they are alike.

    The sum over bins of (p - q) ln(p / q), where q is the share of `reference` in a bin and p that of `now`. The bins
    are the deciles of the known values of `reference`, or the values themselves if there are at most ten, and one bin
    for missing values. By a rule of thumb, below 0.1 nothing has changed and above 0.25 much has (N. Siddiqi, Credit
    Risk Scorecards, 2006), for samples of some hundred or more: chance alone adds (bins - 1) (1 / n + 1 / m).
    """
    edges = edges_of(reference, BINS)
    q, p = _shares(reference, edges), _shares(now, edges)
    return float(((p - q) * np.log(p / q)).sum())


def _shares(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The share of `x` in each interval, then the share of missing values; each at least MIN_SHARE."""
    interval = np.where(np.isnan(x), len(edges) + 1, np.searchsorted(edges, x))
    return np.maximum(np.bincount(interval, minlength=len(edges) + 2) / len(x), MIN_SHARE)


def calibration_error(label: np.ndarray, probability: np.ndarray) -> float:
    """The expected calibration error, as in backtests. `label` is bool; both have shape (crates,)."""
    one_family = np.zeros(len(label), dtype=int)
    return float(calibration(label, probability, one_family, np.ones((1, 1)))[1, 0])


def predicted_to_observed(label: np.ndarray, probability: np.ndarray) -> float | None:
    """The ratio of predicted to observed events; None if both are fewer than MIN_EVENTS.

    Half an event is added to both, so that the ratio is defined without events.
    """
    predicted, observed = float(probability.sum()), int(label.sum())
    return (predicted + 0.5) / (observed + 0.5) if max(predicted, observed) >= MIN_EVENTS else None
