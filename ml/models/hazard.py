"""The hazard of a vulnerability advisory, trained on every advisory known at the as-of date.

The labels of one window have about a dozen positives, too few to train on. All advisories so far are several times as
many, and the `features` of one as-of date have both sides: which crates had one, and what those crates are like.
- The expected events are a Poisson regression of "had an advisory" on the inputs, without past advisories.
- A crate's own history enters as the credibility factor of actuarial science, (k + past advisories) / k.
- The level is that of the last 365 days: on 2019-11-11 it predicted 24 affected crates for the next eight months, and
  18 were affected. With the growth of the previous year it would have predicted 76.
"""

import math

import numpy as np
import pandas as pd
from scipy.special import gammaln
from sklearn.linear_model import PoissonRegressor
from threadpoolctl import threadpool_limits

from ml.features import known_inputs, matrix, values_of
from ml.models.additive import Additive, edges_of

# how much a crate is looked at and how much there is to find; few inputs, since advisories are few
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
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # candidates for k: the weight of the regression, in advisories
PAST = "advisories"  # the input with the credibility factor


def fit_hazard(now: pd.DataFrame, horizon_days: int, level_of: pd.DataFrame | None = None) -> Additive:
    """Trains a hazard model on the features of one as-of date.

    Parameters
    ----------
    now : DataFrame
        The rows to train on.
    horizon_days : int
        The model predicts the number of affected crates in this time.
    level_of : DataFrame, optional
        All rows of that date, whose advisories set the level; `now` by default.

    Raises
    ------
    ValueError
        No crate had an advisory.
    """
    had = now[PAST].to_numpy(dtype=float)
    if not had.any():
        raise ValueError(f"none of {len(now):,} crates had a vulnerability advisory: training needs some")
    inputs = known_inputs(now, INPUTS)
    x = matrix(now, inputs)
    steps = [edges_of(x[:, i], INTERVALS) for i in range(len(inputs))]
    tables = [_table(x[:, i], edges) for i, edges in enumerate(steps)]
    values = np.column_stack([table[_intervals(x[:, i], steps[i])] for i, table in enumerate(tables)])
    center, spread = values.mean(axis=0), values.std(axis=0)
    regression = PoissonRegressor(alpha=ALPHA, max_iter=2000, tol=1e-8)
    with threadpool_limits(1):  # with more, the order of sums and the last bits differ from run to run
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
    model.intercept += float(
        np.log(expected_affected_crates(everyone, horizon_days) / total_expected_events(model, everyone))
    )
    return model


def total_expected_events(model: Additive, now: pd.DataFrame) -> float:
    """The expected events of all rows. The sum is exact, so that the order of rows (by name) changes no bit."""
    return math.fsum(model.events(values_of(now)))


def expected_affected_crates(now: pd.DataFrame, horizon_days: float) -> float:
    """The number of crates affected in `horizon_days` at the rate of the last 365 days, taken as at least one."""
    return max(int((now["advisories_365d"] > 0).sum()), 1) * horizon_days / 365


def _table(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """log(1 + median) of each interval, then that of all known values, which stands in for missing ones."""
    known = x[~np.isnan(x)]
    interval = np.searchsorted(edges, known)
    medians = pd.Series(np.log1p(known)).groupby(interval).median()
    # the interval between two edges set by one value is empty
    filled = medians.reindex(range(len(edges) + 1)).ffill().bfill()
    return np.append(filled.to_numpy(), np.log1p(np.median(known)))


def _intervals(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The number of the interval of each value; the last entry of the table if missing."""
    return np.where(np.isnan(x), len(edges) + 1, np.searchsorted(edges, x))


def _strength(had: np.ndarray, expected: np.ndarray) -> float:
    """The strength k with the highest likelihood of the past advisories (negative binomial)."""
    mean = expected * had.sum() / expected.sum()

    def likelihood(k: float) -> float:
        terms = gammaln(had + k) - gammaln(k) + k * np.log(k / (k + mean)) + had * np.log(mean / (k + mean))
        return float(terms.sum())

    return max(STRENGTHS, key=likelihood)
