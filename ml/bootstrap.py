"""Bootstrap: metrics on many resamples at once. Whole families are resampled, since their crates are not independent.

A resample draws as many families as there are, with replacement; a crate's weight is how often its family was drawn.
Weights are whole numbers and sums are taken in a fixed order, so that every run gives the same bits.
"""

import numpy as np
from scipy.sparse import csr_matrix

RESAMPLES = 200
CHUNK = 50  # resamples ranked at a time: bounds the arrays to about 10 MB
INTERVAL = (0.025, 0.975)
SEED = 0
BINS = 10


def resample_weights(families: int) -> np.ndarray:
    """How often each family is drawn, shape (families, 1 + RESAMPLES); the first column is the data itself: all 1."""
    rng = np.random.default_rng(SEED)
    drawn = [np.bincount(rng.integers(families, size=families), minlength=families) for _ in range(RESAMPLES)]
    return np.column_stack([np.ones(families), *drawn])


def interval(values: np.ndarray) -> tuple[float, float]:
    """The ends of the middle 95% of the resamples, without the first column; NaN (a class is absent) is ignored."""
    resampled = values[1:]
    if np.isnan(resampled).all():
        return np.nan, np.nan
    low, high = np.nanquantile(resampled, INTERVAL)
    return float(low), float(high)


def ranking(label: np.ndarray, score: np.ndarray, family: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """ROC-AUC and average precision of each resample, equal to scikit-learn's with sample weights.

    Parameters
    ----------
    label : bool array of shape (crates,)
        Whether the crate is a positive.
    score : array of shape (crates,)
        The higher, the more likely a positive.
    family : int array of shape (crates,)
        The row of `weights` of each crate.
    weights : array of shape (families, resamples)
        As of `resample_weights`.

    Returns
    -------
    ndarray of shape (2, resamples)
        NaN where a class is absent.
    """
    rank = np.unique(-score, return_inverse=True)[1]
    levels = np.unique(rank[label])  # the metrics change only at scores of positives
    level = np.searchsorted(levels, rank)
    is_tied = ~label & np.isin(rank, levels)
    shape = (len(levels) + 1, len(weights))
    parts = [_sums(level[c], family[c], np.ones(c.sum()), shape) for c in (label, is_tied, ~label & ~is_tied)]
    chunks = [weights[:, start : start + CHUNK] for start in range(0, weights.shape[1], CHUNK)]
    return np.hstack([_ranking_of(*(part @ chunk for part in parts)) for chunk in chunks])


def _ranking_of(positives: np.ndarray, ties: np.ndarray, between: np.ndarray) -> np.ndarray:
    """From the weights at each level, best first: of positives, of negatives at it, of negatives just above it."""
    true_positives, false_positives = positives.cumsum(axis=0), (ties + between).cumsum(axis=0)
    with np.errstate(invalid="ignore"):
        roc_auc = (positives * (false_positives[-1] - false_positives + ties / 2)).sum(axis=0) / (
            true_positives[-1] * false_positives[-1]
        )
        precision = np.divide(
            true_positives,
            true_positives + false_positives,
            out=np.zeros_like(true_positives),
            where=positives > 0,
        )
        average_precision = (positives * precision).sum(axis=0) / true_positives[-1]
    return np.stack([roc_auc, average_precision])


def calibration(label: np.ndarray, probability: np.ndarray, family: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Brier skill score and expected calibration error of each resample, shape (2, resamples).

    The skill is against the resample's own base rate. The calibration error is the mean distance between predicted and
    observed share over BINS bins of equal count in the data. Noise can only raise it, so its interval may lie above
    the value. Arguments as of `ranking`.
    """
    bins = np.empty(len(label), dtype=int)
    for number, members in enumerate(np.array_split(np.argsort(probability, kind="stable"), BINS)):
        bins[members] = number
    squares = (probability - label) ** 2
    count, positives, predicted, error = (
        _sums(bins, family, values, (BINS, len(weights))) @ weights
        for values in (np.ones(len(label)), label.astype(float), probability, squares)
    )
    total = count.sum(axis=0)
    rate = positives.sum(axis=0) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        skill = 1 - error.sum(axis=0) / total / (rate * (1 - rate))
    skill[~np.isfinite(skill)] = np.nan
    return np.stack([skill, np.abs(positives - predicted).sum(axis=0) / total])


def _sums(row: np.ndarray, family: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> csr_matrix:
    """Sums of `values` by row and family; multiplied by the weights, the sums of every resample."""
    return csr_matrix((values, (row, family)), shape=shape)
