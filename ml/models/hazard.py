"""The hazard of an advisory, learnt from all that became known before the as-of date.

Labels of one window hold a dozen vulnerabilities, too few to learn from. All advisories so far hold several times as
many, and `features` of one as-of date tells both sides: which crates had one, and what those crates are like.
- `expected`: a Poisson regression of "had one" on what a crate is like, its past advisories left out.
- What a crate's own past says beyond that is credibility, as actuaries weigh it: (k + had) / k, since few are expected.
- The level is last year's: on 2019-11-11 that foretold 24 crates for the eight months to come; 18 were hit. Last year's
  growth would have foretold 76.
"""

import math

import numpy as np
import pandas as pd
from scipy.special import gammaln
from sklearn.linear_model import PoissonRegressor
from threadpoolctl import threadpool_limits

from ml.features import known_inputs, matrix, values_of
from ml.models.additive import Additive, edges_of

# what makes people look for vulnerabilities, and how much there is to find; few, since the advisories are few
INPUTS = [
    "dependents_independent",
    "dependents_dev",
    "pagerank",
    "versions",
    "age_days_min",
    "days_since_release_max",
    "releases_365d_max",
    "feature_count",
    "dependencies_normal",
    "downloads_30d",
]
ALPHA = 1e-3
INTERVALS = 128
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # of k: how many advisories what a crate is like counts for
PAST = "advisories"  # the input whose effect credibility is


def fit_hazard(now: pd.DataFrame, horizon_days: int, level_of: pd.DataFrame | None = None) -> Additive:
    """Fits on the features of one as-of date: the rows that may teach. Events are crates hit in `horizon_days`.

    `level_of` are the rows whose advisories set the level, all of that date; else those of `now`. Raises ValueError if
    no crate had an advisory.
    """
    had = now[PAST].to_numpy(dtype=float)
    if not had.any():
        raise ValueError(f"none of {len(now):,} crates had a vulnerability advisory: there is nothing to learn")
    inputs = known_inputs(now, INPUTS)
    x = matrix(now, inputs)
    steps = [edges_of(x[:, i], INTERVALS) for i in range(len(inputs))]
    tables = [_table(x[:, i], edges) for i, edges in enumerate(steps)]
    values = np.column_stack([table[_intervals(x[:, i], steps[i])] for i, table in enumerate(tables)])
    center, spread = values.mean(axis=0), values.std(axis=0)
    regression = PoissonRegressor(alpha=ALPHA, max_iter=2000, tol=1e-8)
    with threadpool_limits(1):  # the order of summing, and so every bit, is the same in every run
        regression.fit((values - center) / spread, np.minimum(had, 1))
    slopes = regression.coef_ / spread
    parts = [slope * (table - middle) for slope, table, middle in zip(slopes, tables, center)]
    logarithm = ((values - center) * slopes).sum(axis=1) + regression.intercept_
    counts = np.arange(int(had.max()) + 1)
    credibility = np.log1p(counts / _strength(had, np.exp(logarithm)))
    model = Additive(
        [*inputs, PAST],
        [*steps, counts[1:] - 0.5],
        [*[part[:-1] for part in parts], credibility],
        np.array([*[part[-1] for part in parts], 0.0]),
        float(regression.intercept_),
        "log_hazard",
    )
    everyone = now if level_of is None else level_of
    model.intercept += float(np.log(hits_expected(everyone, horizon_days) / events_expected(model, everyone)))
    return model


def events_expected(model: Additive, now: pd.DataFrame) -> float:
    """How many events a model expects of all rows: an exact sum, so that their order, that of names, changes no bit."""
    return math.fsum(model.events(values_of(now)))


def hits_expected(now: pd.DataFrame, horizon_days: float) -> float:
    """How many crates will be hit in so many days, if they come as they did last year; at least at the rate of one."""
    return max(int((now["advisories_365d"] > 0).sum()), 1) * horizon_days / 365


def _table(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The logarithm of 1 + the median of each interval, and last that of all known values, for what is missing."""
    known = x[~np.isnan(x)]
    interval = np.searchsorted(edges, known)
    medians = pd.Series(np.log1p(known)).groupby(interval).median()
    # an interval may be empty, between two edges that one value set
    filled = medians.reindex(range(len(edges) + 1)).ffill().bfill()
    return np.append(filled.to_numpy(), np.log1p(np.median(known)))


def _intervals(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The number of the interval that each value falls in; the last, of the table's, where it is missing."""
    return np.where(np.isnan(x), len(edges) + 1, np.searchsorted(edges, x))


def _strength(had: np.ndarray, expected: np.ndarray) -> float:
    """The strength that makes the counts of past advisories likeliest (negative binomial)."""
    mean = expected * had.sum() / expected.sum()

    def likelihood(k: float) -> float:
        terms = gammaln(had + k) - gammaln(k) + k * np.log(k / (k + mean)) + had * np.log(mean / (k + mean))
        return float(terms.sum())

    return max(STRENGTHS, key=likelihood)
