"""Evaluation of a model on one walk-forward fold, with the base rate, logistic regression and every baseline."""

from typing import TYPE_CHECKING

from assets.predictions.training import Model, at_risk, cross_fitted_probability, event_probability
from assets.predictions.training_data import features_of, labelled
from assets.table_build import BuildContext
from ml.datasets import FAMILY_FOLDS, Fold, family_fold, training_rows
from ml.targets import Target

if TYPE_CHECKING:
    import pandas as pd

    from ml.evaluation import MethodScore

SLICE = "unseen_families"  # the main slice: each crate is predicted by a model trained without its family


def test_rows(context: BuildContext, target: Target, fold: Fold) -> "pd.DataFrame":
    """Features and labels of the crates at risk on the fold's test date."""
    return at_risk(labelled(context, target, [fold.test]), target)


def base_rate(context: BuildContext, target: Target, fold: Fold) -> float:
    """The share of positives known on the test date, which is the same probability for every crate."""
    if target.learner == "hazard":
        from ml.models.hazard import expected_affected_crates

        everyone = features_of(context, fold.test.as_of)
        return expected_affected_crates(everyone, target.horizon_days) / len(everyone)
    past = training_rows(at_risk(labelled(context, target, fold.train), target))
    return float(past["label"].mean() * target.horizon_days / past["exposure_days"].mean())


def figures_of(
    context: BuildContext, target: Target, fold: Fold, model: Model, champion: "Model | None" = None
) -> "pd.DataFrame":
    """The columns of `ml.evaluation.evaluate` and `covers`, for one walk-forward fold.

    The slice `all` has the model itself; all other slices have models trained in the same way without a crate's family.
    """
    import numpy as np
    import pandas as pd

    from ml.baselines import BASELINES
    from ml.evaluation import MODEL, MethodScore, evaluate, slices_of

    test, as_of = test_rows(context, target, fold), fold.test.as_of
    if test["label"].nunique() < 2:
        return pd.DataFrame()
    shipped = {MODEL: MethodScore(event_probability(context, model, test, as_of), True)}
    if champion:
        shipped["champion"] = MethodScore(event_probability(context, champion, test, as_of), True)
    baselines = _baselines(context, target, fold, test)
    cross_fitted = {MODEL: MethodScore(cross_fitted_probability(context, target, fold, test), True)}
    everyone = np.ones(len(test), dtype=bool)
    seen = set(features_of(context, fold.train[-1].as_of)["crate"]) if fold.train else set(test["crate"])
    figures = pd.concat(
        [
            evaluate(test, shipped | baselines, {"all": everyone}),
            evaluate(test, cross_fitted | baselines, {SLICE: everyone} | slices_of(test, seen)),
        ],
        ignore_index=True,
    )
    covers = {name: b.covers(test) for name, b in BASELINES.items()}
    return figures.assign(covers=[covers.get(method) for method in figures["method"]])


def _baselines(context: BuildContext, target: Target, fold: Fold, test: "pd.DataFrame") -> "dict[str, MethodScore]":
    """The base rate, logistic regression trained without a crate's family, and every formula."""
    import numpy as np

    from ml.baselines import BASELINES
    from ml.evaluation import MethodScore, oriented
    from ml.models.hazard import PAST
    from ml.models.logistic import logistic_regression

    label = test["label"].to_numpy(dtype=bool)
    if target.learner == "hazard":  # trained on the advisories so far, like the model
        past = features_of(context, fold.test.as_of)
        past = past.assign(label=past[PAST] > 0)
        leave_out: tuple[str, ...] = (PAST, "is_unmaintained")
    else:
        past, leave_out = at_risk(labelled(context, target, fold.train), target), ()
    logistic, folds = np.empty(len(test)), family_fold(test["family"]).to_numpy()
    for number in range(FAMILY_FOLDS):
        rows = folds == number
        logistic[rows] = logistic_regression(training_rows(past, held_out=number), test[rows], leave_out)
    return {
        "base_rate": MethodScore(np.full(len(test), base_rate(context, target, fold)), True),
        "logistic_regression": MethodScore(logistic, True),
        **{name: MethodScore(oriented(b.score(test), label), False) for name, b in BASELINES.items()},
    }
