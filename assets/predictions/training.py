"""Trains and applies a target's model on one step of the walk forward: what `predictor` ships and backtests test."""

from datetime import date
from typing import TYPE_CHECKING, TypeAlias

from assets.predictions.builds import builds_of, tree_sums
from assets.predictions.training_data import features_of, labelled
from assets.table_asset import Inputs
from ml.datasets import FAMILY_FOLDS, Fold, LabelSet, family_fold, teaching
from ml.targets import Target
from resources.warehouse.session import first_row

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ml.models.additive import Additive
    from ml.models.tree_hazard import TreeHazard

Model: TypeAlias = "Additive | TreeHazard"


def learn(inputs: Inputs, target: Target, fold: Fold, blind_to: int | None = None) -> Model:
    """The model of a target from what was known by the test's as-of date, without the family fold `blind_to`.

    Raises ValueError if there is nothing to learn.
    """
    from ml.models.boosted import fit_boosted
    from ml.models.tree_hazard import TreeHazard

    if target.learner == "boosted":
        training = at_risk(labelled(inputs, target, fold.teach), target)
        return fit_boosted(teaching(training, blind_to), target.horizon_days)
    hazard = _hazard(features_of(inputs, fold.test.as_of), target.horizon_days, blind_to)
    return hazard if target.learner == "hazard" else TreeHazard(hazard, _level(inputs, target, fold, blind_to))


def at_risk(frame: "pd.DataFrame", target: Target) -> "pd.DataFrame":
    """The rows whose outcome is open."""
    return frame[target.at_risk(frame)].reset_index(drop=True)


def event_probability(inputs: Inputs, model: Model, test: "pd.DataFrame", as_of: date) -> "np.ndarray":
    """What the model says of each row of `test`, features of one date."""
    from ml.features import values_of
    from ml.models.additive import Additive

    if isinstance(model, Additive):
        return model.probability(model.effects(values_of(test)))
    sums = tree_sums(inputs, model.hazard, features_of(inputs, as_of), builds_of(as_of))
    return model.probability(sums.set_index("crate")["events"].loc[test["crate"]].to_numpy())


def cross_fitted(inputs: Inputs, target: Target, fold: Fold, test: "pd.DataFrame") -> "np.ndarray":
    """What models say of each row of `test` that never saw its family: one per family fold, made as the one shipped."""
    import numpy as np

    found, of = np.empty(len(test)), family_fold(test["family"]).to_numpy()
    for number in range(FAMILY_FOLDS):
        model = learn(inputs, target, fold, blind_to=number)
        found[of == number] = event_probability(inputs, model, test[of == number], fold.test.as_of)
    return found


def _hazard(everyone: "pd.DataFrame", horizon_days: int, blind_to: int | None) -> "Additive":
    from ml.models.hazard import fit_hazard

    return fit_hazard(teaching(everyone, blind_to), horizon_days, level_of=everyone)


def _level(inputs: Inputs, target: Target, fold: Fold, blind_to: int | None) -> float:
    """From past dates: the hazards as they stood then, brought to as many crates as were hit, against builds hit."""
    from ml.models.hazard import events_expected
    from ml.models.tree_hazard import fit_level

    sums, hits = [], []
    for labels in fold.teach:
        everyone = features_of(inputs, labels.as_of)
        hazard = _hazard(everyone, labels.horizon_days, blind_to)
        events = tree_sums(inputs, hazard, everyone, builds_of(labels.as_of)).set_index("crate")["events"]
        were = _crates_hit(inputs, labels, fold.test.as_of)
        rows = teaching(at_risk(labelled(inputs, target, [labels]), target), blind_to)
        sums.append(events.loc[rows["crate"]].to_numpy() * were / events_expected(hazard, everyone))
        hits.append(rows["label"].to_numpy())
    return fit_level(sums, hits)


def _crates_hit(inputs: Inputs, labels: LabelSet, until: date) -> float:
    """How many crates of the date of `labels` got an advisory in its horizon, at the rate of the time up to `until`."""
    query = """
        select count(*) from features as f join features as l using (crate)
        where f.as_of = $since and l.as_of = $until and l.advisories > f.advisories
    """
    hit = first_row(inputs.con, query, {"since": labels.as_of, "until": until})
    assert hit, "a count has a row"
    return max(hit[0], 1) * labels.horizon_days / (until - labels.as_of).days
