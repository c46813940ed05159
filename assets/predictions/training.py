"""Training and prediction of a target's model on one walk-forward fold, for `predictor` and for the backtests."""

from datetime import date
from typing import TYPE_CHECKING, TypeAlias

from assets.predictions.builds import builds_of, tree_sums
from assets.predictions.training_data import features_of, labelled
from assets.table_build import BuildContext
from ml.datasets import FAMILY_FOLDS, Fold, LabelSet, family_fold, training_rows
from ml.targets import Target
from resources.warehouse.session import first_row

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ml.models.additive import Additive
    from ml.models.tree_hazard import TreeHazard

Model: TypeAlias = "Additive | TreeHazard"


def train(context: BuildContext, target: Target, fold: Fold, held_out: int | None = None) -> Model:
    """Trains the model of a target on what was known by the test's as-of date, without the family fold `held_out`.

    Raises
    ------
    ValueError
        The training rows have no positives or no negatives.
    """
    from ml.models.boosted import fit_boosted
    from ml.models.tree_hazard import TreeHazard

    if target.learner == "boosted":
        training = at_risk(labelled(context, target, fold.train), target)
        return fit_boosted(training_rows(training, held_out), target.horizon_days)
    hazard = _hazard(features_of(context, fold.test.as_of), target.horizon_days, held_out)
    return hazard if target.learner == "hazard" else TreeHazard(hazard, _level(context, target, fold, held_out))


def trained_on(fold: Fold) -> str:
    """The training dates and horizons of a fold in words."""
    return ", ".join(f"{s.as_of} over {s.horizon_days} days" for s in fold.train) or "advisories so far"


def at_risk(frame: "pd.DataFrame", target: Target) -> "pd.DataFrame":
    """The rows of the crates that the target applies to."""
    return frame[target.at_risk(frame)].reset_index(drop=True)


def event_probability(context: BuildContext, model: Model, test: "pd.DataFrame", as_of: date) -> "np.ndarray":
    """The predicted probability of each row of `test`, features of one date, shape (rows,)."""
    from ml.features import values_of
    from ml.models.additive import Additive

    if isinstance(model, Additive):
        return model.probability(model.effects(values_of(test)))
    sums = tree_sums(context, model.hazard, features_of(context, as_of), builds_of(as_of))
    return model.probability(sums.set_index("crate")["events"].loc[test["crate"]].to_numpy())


def cross_fitted_probability(context: BuildContext, target: Target, fold: Fold, test: "pd.DataFrame") -> "np.ndarray":
    """The probability of each row of `test` by a model trained without its family, one model per family fold."""
    import numpy as np

    probability, folds = np.empty(len(test)), family_fold(test["family"]).to_numpy()
    for number in range(FAMILY_FOLDS):
        model = train(context, target, fold, held_out=number)
        rows = folds == number
        probability[rows] = event_probability(context, model, test[rows], fold.test.as_of)
    return probability


def _hazard(everyone: "pd.DataFrame", horizon_days: int, held_out: int | None) -> "Additive":
    from ml.models.hazard import fit_hazard

    return fit_hazard(training_rows(everyone, held_out), horizon_days, level_of=everyone)


def _level(context: BuildContext, target: Target, fold: Fold, held_out: int | None) -> float:
    """The level of builds, fitted on past dates. Hazards are scaled to the observed number of affected crates."""
    from ml.models.hazard import total_expected_events
    from ml.models.tree_hazard import fit_level

    sums, label_arrays = [], []
    for labels in fold.train:
        everyone = features_of(context, labels.as_of)
        hazard = _hazard(everyone, labels.horizon_days, held_out)
        events = tree_sums(context, hazard, everyone, builds_of(labels.as_of)).set_index("crate")["events"]
        affected = _affected_crates(context, labels, fold.test.as_of)
        rows = training_rows(at_risk(labelled(context, target, [labels]), target), held_out)
        sums.append(events.loc[rows["crate"]].to_numpy() * affected / total_expected_events(hazard, everyone))
        label_arrays.append(rows["label"].to_numpy())
    return fit_level(sums, label_arrays)


def _affected_crates(context: BuildContext, labels: LabelSet, until: date) -> float:
    """The crates of the date of `labels` with a new advisory within its horizon, at the rate of the time to `until`."""
    query = """
        select count(*) from features as f join features as l using (crate)
        where f.as_of = $since and l.as_of = $until and l.advisories > f.advisories
    """
    counted = first_row(context.con, query, {"since": labels.as_of, "until": until})
    assert counted, "a count has a row"
    return max(counted[0], 1) * labels.horizon_days / (until - labels.as_of).days
