"""The predictor: a logistic regression on log counts, additive, so that ranges and explanations are exact.

An input is taken as log(1 + x), clipped to the range seen in training and scaled to 0..1. What is missing is taken as
the median; the worst and the best end take what is missing, or known by bounds only, as whichever value it can have
lowers or raises the probability most.
"""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler
from threadpoolctl import threadpool_limits

from ml.inputs import INPUTS, NAMES, TOPICS, bounds, matrix

PLAUSIBLE = (0.001, 0.999)  # quantiles of the training data between which an unknown value may lie
C = 30.0  # inverse regularisation on inputs scaled to 0..1


@dataclass(frozen=True)
class Trained:
    """A fitted pipeline with what it was calibrated to."""

    pipeline: Pipeline
    base_rate: float
    model_id: str


def train(training: pd.DataFrame, calibration: pd.DataFrame) -> Trained:
    """Fits on `training` and calibrates (Platt) on the later `calibration`: frames with inputs and a bool `label`.

    Raises ValueError if either has one class only.
    """
    for name, frame in (("training", training), ("calibration", calibration)):
        if frame["label"].nunique() < 2:
            raise ValueError(f"the {name} dates have {len(frame)} labels and only one class: there is nothing to learn")
    x = matrix(training)
    low, high = x.quantile(PLAUSIBLE[0]), x.quantile(PLAUSIBLE[1])
    pipeline = Pipeline(
        [
            ("log", FunctionTransformer(np.log1p, feature_names_out="one-to-one")),
            ("scale", MinMaxScaler(clip=True)),
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("classify", LogisticRegression(C=C, max_iter=2000)),
        ]
    )
    with threadpool_limits(1):  # the order of summing, and so every bit, is the same in every run
        pipeline.fit(x.clip(low, high, axis=1), training["label"].astype(int))
        _calibrate(pipeline, calibration)
    return Trained(pipeline, float(calibration["label"].to_numpy(dtype=float).mean()), _identity(pipeline))


def _calibrate(pipeline: Pipeline, calibration: pd.DataFrame) -> None:
    """Platt scaling, folded into the regression's own coefficients: the model stays one additive formula."""
    raw = pipeline.decision_function(matrix(calibration)).reshape(-1, 1)
    platt = LogisticRegression(C=np.inf).fit(raw, calibration["label"].astype(int))
    regression = pipeline.named_steps["classify"]
    slope = platt.coef_[0, 0]
    regression.coef_ = regression.coef_ * slope
    regression.intercept_ = regression.intercept_ * slope + platt.intercept_


def _identity(pipeline: Pipeline) -> str:
    scale, impute, classify = (
        pipeline.named_steps["scale"],
        pipeline.named_steps["impute"],
        pipeline.named_steps["classify"],
    )
    numbers = [scale.data_min_, scale.data_max_, impute.statistics_, classify.coef_[0], classify.intercept_]
    text = json.dumps([NAMES, *[[float(v).hex() for v in n] for n in numbers]])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def predict(pipeline: Pipeline, frame: pd.DataFrame) -> pd.DataFrame:
    """One row per row of `frame`, with its index: probability, worst, best and coverage, all 0 to 1.

    `worst` and `best` are over every value that the inputs can have: between their bounds where only those are known,
    anywhere plausible where they are missing. `coverage` is the share of inputs known exactly.
    """
    parts, intercept = _parts(pipeline, frame)
    weights = pipeline.named_steps["classify"].coef_[0]
    low, high = bounds(frame)
    ends = (
        np.nan_to_num(_scaled(pipeline, low), nan=0) * weights,
        np.nan_to_num(_scaled(pipeline, high), nan=1) * weights,
    )
    lowest, highest = np.minimum.reduce([*ends, parts]), np.maximum.reduce([*ends, parts])
    return pd.DataFrame(
        {
            "probability": _probability(parts, intercept),
            "worst": _probability(lowest, intercept),
            "best": _probability(highest, intercept),
            "coverage": (low == high).to_numpy().mean(axis=1),
        },
        index=frame.index,
    )


def explain(pipeline: Pipeline, frame: pd.DataFrame, peers: pd.DataFrame) -> pd.DataFrame:
    """One row per row of `frame` and topic: topic, feature, value (NaN if missing) and effect.

    `effect` is the log-odds that the topic's inputs add against the average row of `peers`; `feature` is the input
    that tells it best. The effects of all topics add up to the row's difference from the average in log-odds.
    """
    parts, _ = _parts(pipeline, frame)
    x, effects = matrix(frame).to_numpy(), parts - _parts(pipeline, peers)[0].mean(axis=0)
    topics, names = np.asarray([i.topic for i in INPUTS]), np.asarray(NAMES, dtype=object)
    rows = np.arange(len(x))
    found = []
    for topic in TOPICS:
        members = np.flatnonzero(topics == topic)
        effect = effects[:, members].sum(axis=1)
        # the strongest input that pulls the way the topic does, known before unknown
        pull = effects[:, members] * np.sign(effect)[:, None] - 1e3 * np.isnan(x[:, members])
        chosen = members[pull.argmax(axis=1)]
        columns = {"topic": topic, "feature": names[chosen], "value": x[rows, chosen], "effect": effect}
        found.append(pd.DataFrame(columns, index=frame.index))
    return pd.concat(found)


def _parts(pipeline: Pipeline, frame: pd.DataFrame) -> tuple[np.ndarray, float]:
    """Each input's part of the log-odds, what is missing taken as typical, and the intercept."""
    regression = pipeline.named_steps["classify"]
    filled = np.asarray(pipeline.named_steps["impute"].transform(_scaled(pipeline, matrix(frame))))
    return filled * regression.coef_[0], float(regression.intercept_[0])


def _probability(parts: np.ndarray, intercept: float) -> np.ndarray:
    """Sums in one order whatever the memory layout, so that no rounding puts a point outside its range."""
    return expit(np.ascontiguousarray(parts).sum(axis=1) + intercept)


def _scaled(pipeline: Pipeline, x: pd.DataFrame) -> np.ndarray:
    """Inputs on the scale of training, 0 to 1 and clipped there; NaN if missing."""
    return np.asarray(pipeline[:2].transform(x))
