"""Logistic regression on log counts: the usual first model, and therefore a baseline."""

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from ml.features import NAMES, known_inputs, matrix


def logistic_regression(training: pd.DataFrame, test: pd.DataFrame, leave_out: tuple[str, ...] = ()) -> np.ndarray:
    """The probability of each row of `test`, shape (rows,), trained on the inputs and `label` (bool) of `training`."""
    inputs = [name for name in known_inputs(training, NAMES) if name not in leave_out]
    pipeline = Pipeline(
        [
            ("log", FunctionTransformer(np.log1p)),
            ("impute", SimpleImputer(strategy="median")),
            ("scale", StandardScaler()),
            ("classify", LogisticRegression(max_iter=2000)),
        ]
    )
    with threadpool_limits(1):
        pipeline.fit(matrix(training, inputs), training["label"].to_numpy(dtype=bool))
    return pipeline.predict_proba(matrix(test, inputs))[:, 1]
