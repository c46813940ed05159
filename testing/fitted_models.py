"""Synthetic crates, and a model of each kind trained on them: for tests of rules, not of accuracy."""

from datetime import datetime
from functools import cache

import numpy as np
import pandas as pd

from assets.predictions.predictor import CHAMPION, TRUSTED
from ml.features import COLUMNS
from ml.models.additive import Additive
from ml.models.boosted import fit_boosted
from ml.models.hazard import fit_hazard
from ml.models.tree_hazard import TreeHazard
from ml.targets import TARGETS, Target
from resources.tracking import ModelVersion, Tracking

TARGET = {t.name: t for t in TARGETS}
AS_OF, EXPOSURE = datetime(2020, 5, 9), 43
FLAGS = ("is_prerelease", "is_unmaintained")
SOMETIMES_MISSING = ("days_since_release_max", "release_interval_days", "feature_count", "age_days_max")


def frame(rows: int, seed: int) -> pd.DataFrame:
    """Features, with labels that depend on releases, dependencies and dependents, and advisories that depend on
    dependents and the time since the last release."""
    rng = np.random.default_rng(seed)
    made = pd.DataFrame({name: rng.gamma(0.6, 8, rows).round() for name in COLUMNS})
    for column in [c for c in COLUMNS if c.endswith("_max")]:
        made[column] = made[f"{column[:-4]}_min"] + rng.integers(0, 4, rows)
    for flag in FLAGS:
        made[flag] = rng.random(rows) < 0.1
    attention = made["dependents_independent"] * (1 + made["days_since_release_max"] / 5)
    made["advisories"] = rng.poisson(0.01 * attention.to_numpy())
    made["advisories_365d"] = np.minimum(made["advisories"], rng.integers(0, 2, rows))
    good = made["releases_90d_min"] + 2 * made["dependents_independent"]
    bad = made[["dependencies_outdated", "requirements_wildcard", "dependencies_unresolved"]].sum(axis=1)
    made["label"] = rng.random(rows) < 1 / (1 + np.exp(1 - 0.2 * good.to_numpy() + 0.2 * bad.to_numpy()))
    for column in SOMETIMES_MISSING:
        made.loc[rng.random(rows) < 0.3, column] = np.nan
    names = {"crate": [f"c{i}" for i in range(rows)], "family": [f"f{i % (rows // 2) % 97}" for i in range(rows)]}
    return made.assign(**names, as_of=AS_OF, exposure_days=EXPOSURE)


@cache
def _pool() -> pd.DataFrame:
    return frame(4000, 0).astype(dict.fromkeys(COLUMNS, float))


def some(rows: int, seed: int) -> pd.DataFrame:
    """Like `frame`, but drawn from a prepared pool, which takes a millisecond."""
    return _pool().iloc[np.random.default_rng(seed).choice(len(_pool()), rows, replace=False)].reset_index(drop=True)


def hidden(known: pd.DataFrame, columns: list[str], seed: int) -> pd.DataFrame:
    """The same rows with these columns missing in about half of them."""
    rows = np.random.default_rng(seed).random(len(known)) < 0.5
    return known.assign(**{column: known[column].mask(rows) for column in columns})


@cache
def boosted() -> Additive:
    return fit_boosted(frame(3000, 1), EXPOSURE)


@cache
def hazard() -> Additive:
    return fit_hazard(frame(3000, 2), 365)


@cache
def model_of(target: Target) -> Additive | TreeHazard:
    """A model of the target's kind."""
    if target.learner == "boosted":
        return boosted()
    return hazard() if target.learner == "hazard" else TreeHazard(hazard(), 0.7)


def register(tracking: Tracking, name: str, model: Additive | TreeHazard, tags: dict[str, str]) -> ModelVersion:
    """Stores a model like `predictor` and makes it the champion."""
    client = tracking.start()
    import mlflow
    from mlflow import sklearn as flavor

    with mlflow.start_run() as run:
        logged = flavor.log_model(
            model,
            name="model",
            serialization_format="skops",
            skops_trusted_types=TRUSTED,
            pyfunc_predict_fn="predict_proba",
            pip_requirements=["scikit-learn"],
        )
    client.create_registered_model(name)
    version = client.create_model_version(name, logged.model_uri, run.info.run_id, tags=tags)
    client.set_registered_model_alias(name, CHAMPION, str(version.version))
    found = tracking.load(name, CHAMPION)
    assert found, "it was just made the champion"
    return found
