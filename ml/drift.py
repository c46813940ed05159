"""Whether a model still meets what it was made for, and whether what it says still comes true."""

import numpy as np

from ml.bootstrap import calibration
from ml.models.additive import edges_of

BINS = 10
LEAST_SHARE = 1e-4  # an empty bin counts as this share, or its logarithm would have no value
MOST_PSI = 0.25
MOST_ECE = 0.02  # what every target promises
MOST_TIMES = 1.5  # said to observed, or observed to said: years differ by less than that
LEAST_EVENTS = 30  # said or observed, or chance alone reaches MOST_TIMES
# of a target's inputs, to call for training as scores and calibration do by themselves: how exactly the source knows
# dates moves a fifth of them, which says nothing of crates
SHARE_OF_INPUTS = 1 / 3


def stability_index(reference: np.ndarray, now: np.ndarray) -> float:
    """The population stability index between two samples of one quantity, NaN where it is not known; 0 if alike.

    The sum over bins of (p - q) ln(p / q), where q is the share of `reference` in a bin and p that of `now`. Bins are
    the deciles of what is known in `reference`, or its values if there are no more than ten, and one for what is
    missing. Below 0.1 nothing has changed, above 0.25 much has: rules of thumb (N. Siddiqi, Credit Risk Scorecards,
    2006) for samples of some hundred or more, since chance alone adds (bins - 1) (1 / n + 1 / m).
    """
    edges = edges_of(reference, BINS)
    q, p = _shares(reference, edges), _shares(now, edges)
    return float(((p - q) * np.log(p / q)).sum())


def _shares(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The share of `x` in each interval, and last of what is missing: LEAST_SHARE at least."""
    interval = np.where(np.isnan(x), len(edges) + 1, np.searchsorted(edges, x))
    return np.maximum(np.bincount(interval, minlength=len(edges) + 2) / len(x), LEAST_SHARE)


def calibration_error(label: np.ndarray, probability: np.ndarray) -> float:
    """The expected calibration error, as backtests have it. `label` is bool; both of shape (crates,)."""
    together = np.zeros(len(label), dtype=int)
    return float(calibration(label, probability, together, np.ones((1, 1)))[1, 0])


def said_to_observed(label: np.ndarray, probability: np.ndarray) -> float | None:
    """How many times as many events were said as came; None where too few were either to tell.

    Half an event is added to both, so that none at all is a number too.
    """
    said, observed = float(probability.sum()), int(label.sum())
    return (said + 0.5) / (observed + 0.5) if max(said, observed) >= LEAST_EVENTS else None
