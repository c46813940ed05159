"""Plots of a model and of its test, as matplotlib figures."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve

from ml.models.additive import Additive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SHAPES = 9  # the inputs with the largest effects


def _figure(title: str, x: str, y: str) -> tuple["Figure", Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def reliability(label: np.ndarray, probability: np.ndarray) -> "Figure":
    """Observed share against predicted probability, in ten bins of equal count. Arrays of shape (crates,)."""
    figure, axes = _figure("Reliability on the test date", "predicted", "observed")
    observed, predicted = calibration_curve(label, probability, n_bins=10, strategy="quantile")
    axes.axline((0, 0), slope=1, linestyle="--", color="grey")
    axes.plot(predicted, observed, "o-")
    return figure


def precision_recall(label: np.ndarray, probability: np.ndarray) -> "Figure":
    """Precision against recall, with the base rate as a line. Arrays of shape (crates,)."""
    figure, axes = _figure("Precision and recall on the test date", "recall", "precision")
    precision, recall, _ = precision_recall_curve(label, probability)
    axes.plot(recall, precision)
    axes.axhline(label.mean(), linestyle="--", color="grey")
    return figure


def shapes(model: Additive) -> "Figure":
    """The effect of each of the strongest inputs over the range of its values."""
    from matplotlib.figure import Figure

    order = np.argsort([-np.ptp(part) for part in model.parts])[:MAX_SHAPES]
    figure = Figure(figsize=(9, 8), layout="constrained")
    for axes, i in zip(figure.subplots(3, 3).flat, order):
        edges = model.steps[i]
        if len(edges):
            axes.stairs(model.parts[i], np.log1p([edges[0], *edges, edges[-1]]), baseline=None)
        axes.set(title=model.inputs[i], xlabel="log(1 + value)", ylabel="effect")
        axes.axhline(0, linestyle="--", color="grey")
    return figure
