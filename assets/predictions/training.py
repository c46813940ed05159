"""Trains and applies a target's model on one step of the walk forward: what `predictor` ships and backtests test."""

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


def learn(context: BuildContext, target: Target, fold: Fold, held_out: int | None = None) -> Model:
    """The model of a target from what was known by the test's as-of date, without the family fold `held_out`.

    Raises ValueError if there is nothing to learn.
    """
    from ml.models.boosted import fit_boosted
    from ml.models.tree_hazard import TreeHazard

    if target.learner == "boosted":
        training = at_risk(labelled(context, target, fold.train), target)
        return fit_boosted(training_rows(training, held_out), target.horizon_days)
    hazard = _hazard(features_of(context, fold.test.as_of), target.horizon_days, held_out)
    return hazard if target.learner == "hazard" else TreeHazard(hazard, _level(context, target, fold, held_out))


def at_risk(frame: "pd.DataFrame", target: Target) -> "pd.DataFrame":
    """The rows whose outcome is open."""
    return frame[target.at_risk(frame)].reset_index(drop=True)


def event_probability(context: BuildContext, model: Model, test: "pd.DataFrame", as_of: date) -> "np.ndarray":
    """What the model says of each row of `test`, features of one date."""
    from ml.features import values_of
    from ml.models.additive import Additive

    if isinstance(model, Additive):
        return model.probability(model.effects(values_of(test)))
    sums = tree_sums(context, model.hazard, features_of(context, as_of), builds_of(as_of))
    return model.probability(sums.set_index("crate")["events"].loc[test["crate"]].to_numpy())


def cross_fitted_probability(context: BuildContext, target: Target, fold: Fold, test: "pd.DataFrame") -> "np.ndarray":
    """What models say of each row of `test` that never saw its family: one per family fold, made as the one shipped."""
    import numpy as np

    found, of = np.empty(len(test)), family_fold(test["family"]).to_numpy()
    for number in range(FAMILY_FOLDS):
        model = learn(context, target, fold, held_out=number)
        found[of == number] = event_probability(context, model, test[of == number], fold.test.as_of)
    return found


def _hazard(everyone: "pd.DataFrame", horizon_days: int, held_out: int | None) -> "Additive":
    from ml.models.hazard import fit_hazard

    return fit_hazard(training_rows(everyone, held_out), horizon_days, level_of=everyone)


def _level(context: BuildContext, target: Target, fold: Fold, held_out: int | None) -> float:
    """From past dates: the hazards as they stood then, brought to as many crates as were hit, against builds hit."""
    from ml.models.hazard import total_expected_events
    from ml.models.tree_hazard import fit_level

    sums, hits = [], []
    for labels in fold.train:
        everyone = features_of(context, labels.as_of)
        hazard = _hazard(everyone, labels.horizon_days, held_out)
        events = tree_sums(context, hazard, everyone, builds_of(labels.as_of)).set_index("crate")["events"]
        were = _crates_hit(context, labels, fold.test.as_of)
        rows = training_rows(at_risk(labelled(context, target, [labels]), target), held_out)
        sums.append(events.loc[rows["crate"]].to_numpy() * were / total_expected_events(hazard, everyone))
        hits.append(rows["label"].to_numpy())
    return fit_level(sums, hits)


def _crates_hit(context: BuildContext, labels: LabelSet, until: date) -> float:
    """How many crates of the date of `labels` got an advisory in its horizon, at the rate of the time up to `until`."""
    query = """
        select count(*) from features as f join features as l using (crate)
        where f.as_of = $since and l.as_of = $until and l.advisories > f.advisories
    """
    hit = first_row(context.con, query, {"since": labels.as_of, "until": until})
    assert hit, "a count has a row"
    return max(hit[0], 1) * labels.horizon_days / (until - labels.as_of).days
