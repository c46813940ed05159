"""Plots of a backtest, as matplotlib figures."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve
from sklearn.pipeline import Pipeline

from ml.inputs import NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _figure(title: str, x: str, y: str) -> tuple["Figure", Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def reliability(label: np.ndarray, probability: np.ndarray) -> "Figure":
    """Observed share against predicted probability, in ten bins of equal count."""
    figure, axes = _figure("Reliability on the test date", "predicted", "observed")
    observed, predicted = calibration_curve(label, probability, n_bins=10, strategy="quantile")
    axes.axline((0, 0), slope=1, linestyle="--", color="grey")
    axes.plot(predicted, observed, "o-")
    return figure


def precision_recall(label: np.ndarray, probability: np.ndarray) -> "Figure":
    """Precision against recall, with the base rate as a line."""
    figure, axes = _figure("Precision and recall on the test date", "recall", "precision")
    precision, recall, _ = precision_recall_curve(label, probability)
    axes.plot(recall, precision)
    axes.axhline(label.mean(), linestyle="--", color="grey")
    return figure


def importances(pipeline: Pipeline, scaled: pd.DataFrame) -> "Figure":
    """The spread of each input's part of the log-odds over the test date: the twenty largest."""
    figure, axes = _figure("What moves the scores", "standard deviation of the effect (log-odds)", "")
    spread = np.asarray(scaled).std(axis=0) * np.abs(pipeline.named_steps["classify"].coef_[0])
    order = np.argsort(spread)[-20:]
    figure.set_size_inches(6, 6)
    axes.barh(np.asarray(NAMES)[order], spread[order])
    return figure
