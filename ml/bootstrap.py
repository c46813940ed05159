"""Figures of a score on many resamples at once: of whole families, since one project's crates rise and fall together.

A resample draws as many families as there are, with replacement; a crate weighs as often as its family was drawn.
Weights are whole numbers and sums are taken in one order, so that every run gives the same bits.
"""

import numpy as np
from scipy.sparse import csr_matrix

RESAMPLES = 200
CHUNK = 50  # resamples ranked at a time: arrays of some 10 MB, however many are positive
INTERVAL = (0.025, 0.975)
SEED = 0
BINS = 10


def draws(families: int) -> np.ndarray:
    """How often each family counts, shape (families, 1 + RESAMPLES): once in the first column, the data as they are."""
    rng = np.random.default_rng(SEED)
    drawn = [np.bincount(rng.integers(families, size=families), minlength=families) for _ in range(RESAMPLES)]
    return np.column_stack([np.ones(families), *drawn])


def interval(figures: np.ndarray) -> tuple[float, float]:
    """Ends of the middle 95 % of the resamples, the first column left out; NaN are resamples without a class."""
    resampled = figures[1:]
    if np.isnan(resampled).all():
        return np.nan, np.nan
    low, high = np.nanquantile(resampled, INTERVAL)
    return float(low), float(high)


def ranking(label: np.ndarray, score: np.ndarray, family: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """ROC-AUC and average precision of each resample, shape (2, resamples): scikit-learn's, with crates weighted.

    `label` (bool), `score` and `family` (row of `drawn`) have one entry per crate. NaN where a class was not drawn.
    """
    rank = np.unique(-score, return_inverse=True)[1]
    levels = np.unique(rank[label])  # only where a positive stands is there anything to count
    level = np.searchsorted(levels, rank)
    is_tied = ~label & np.isin(rank, levels)
    shape = (len(levels) + 1, len(drawn))
    parts = [_sums(level[c], family[c], np.ones(c.sum()), shape) for c in (label, is_tied, ~label & ~is_tied)]
    chunks = [drawn[:, at : at + CHUNK] for at in range(0, drawn.shape[1], CHUNK)]
    return np.hstack([_ranked(*(part @ chunk for part in parts)) for chunk in chunks])


def _ranked(hits: np.ndarray, ties: np.ndarray, between: np.ndarray) -> np.ndarray:
    """From the weights at each level, best first: of positives, of negatives at it, of negatives just above it."""
    found, missed = hits.cumsum(axis=0), (ties + between).cumsum(axis=0)
    with np.errstate(invalid="ignore"):
        roc_auc = (hits * (missed[-1] - missed + ties / 2)).sum(axis=0) / (found[-1] * missed[-1])
        precision = np.divide(found, found + missed, out=np.zeros_like(found), where=hits > 0)
        average_precision = (hits * precision).sum(axis=0) / found[-1]
    return np.stack([roc_auc, average_precision])


def calibration(label: np.ndarray, probability: np.ndarray, family: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Brier skill against the resample's own base rate and expected calibration error, shape (2, resamples).

    The error is the mean distance between said and observed share over BINS bins of equal count of the data as they
    are. Noise can only raise it, so that its interval may lie above the value.
    """
    bins = np.empty(len(label), dtype=int)
    for number, members in enumerate(np.array_split(np.argsort(probability, kind="stable"), BINS)):
        bins[members] = number
    squares = (probability - label) ** 2
    count, hits, said, error = (
        _sums(bins, family, values, (BINS, len(drawn))) @ drawn
        for values in (np.ones(len(label)), label.astype(float), probability, squares)
    )
    total = count.sum(axis=0)
    rate = hits.sum(axis=0) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        skill = 1 - error.sum(axis=0) / total / (rate * (1 - rate))
    skill[~np.isfinite(skill)] = np.nan
    return np.stack([skill, np.abs(hits - said).sum(axis=0) / total])


def _sums(row: np.ndarray, family: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> csr_matrix:
    """Sums of `values` by row and family: times `drawn`, the weighted sums of every resample."""
    return csr_matrix((values, (row, family)), shape=shape)
