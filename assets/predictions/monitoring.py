"""Monitoring of one target: drift of its champion's inputs and scores, and the calibration of its predictions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from assets.predictions.training import at_risk, event_probability
from assets.predictions.training_data import labelled
from assets.table_build import BuildContext
from ml.datasets import LabelSet
from ml.targets import Target
from resources.common.errors import BadInput
from resources.tracking import MODEL_ID, ModelVersion
from resources.warehouse.session import first_row, view
from resources.warehouse.table_store import TableStore

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class Monitor:
    """Monitors the champion of a target on one as-of date; `features_on` returns the features of a date by crate."""

    context: BuildContext
    target: Target
    champion: ModelVersion
    features_on: Callable[[date], "pd.DataFrame"]

    @property
    def as_of(self) -> date:
        return date.fromisoformat(self.context.key)

    @property
    def reference(self) -> date:
        """The date that the champion was last tested on."""
        return date.fromisoformat(self.champion.tags["test_as_of"])

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows of `drift`. Raises BadInput if the features of the reference date are missing."""
        self.context.store.require("features", str(self.reference))
        about = {
            "as_of": self.as_of,
            "target": self.target.name,
            "reference_as_of": self.reference,
            "model_id": self.champion.tags[MODEL_ID],
        }
        for found in (_inputs(self), _score(self), _calibration(self)):
            yield from (about | row for row in found)

    def probability(self, frame: "pd.DataFrame", as_of: date) -> "np.ndarray":
        """The champion's probability of each row of `frame`, features of one date."""
        return event_probability(self.context, self.champion.model, frame, as_of)


def newest_labels(
    con: duckdb.DuckDBPyConnection, store: TableStore, target: Target, after: date, until: date = date.max
) -> date | None:
    """The newest date after `after` with labels over the target's horizon; creates the view `labels` of such dates."""
    keys = [key for key in store.partitions("labels") if after < date.fromisoformat(key) <= until]
    if not keys:
        return None
    view(con, store, "labels", keys)
    query = "select max(as_of) from labels where target = $target and horizon_days = $days and label is not null"
    found = first_row(con, query, {"target": target.name, "days": target.horizon_days})
    return found[0] if found else None


def _inputs(monitor: Monitor) -> Iterator[dict[str, Any]]:
    """Drift of each input over all crates, since a champion for builds uses all of them."""
    from ml.drift import MAX_PSI, stability_index
    from ml.features import matrix
    from ml.models.additive import Additive

    model = monitor.champion.model
    names = model.inputs if isinstance(model, Additive) else model.hazard.inputs
    was, now = (matrix(monitor.features_on(as_of), names) for as_of in (monitor.reference, monitor.as_of))
    for i, name in enumerate(names):
        yield _row("input", name, stability_index(was[:, i], now[:, i]), MAX_PSI)


def _score(monitor: Monitor) -> Iterator[dict[str, Any]]:
    """Drift of the score over the crates at risk. Raises BadInput if another model made the predictions of the date."""
    from ml.drift import MAX_PSI, stability_index

    predicted = monitor.context.con.execute(
        "select crate, probability from predictions where target = $target and model_id = $model_id",
        {"target": monitor.target.name, "model_id": monitor.champion.tags[MODEL_ID]},
    ).df()
    if predicted.empty:
        raise BadInput(
            f"the predictions of {monitor.as_of} were not made by the current champion of {monitor.target.name}: "
            "materialize predictions of that date again"
        )
    now = monitor.features_on(monitor.as_of)
    crates = now["crate"][monitor.target.at_risk(now)]
    was = monitor.probability(at_risk(monitor.features_on(monitor.reference), monitor.target), monitor.reference)
    value = stability_index(was, predicted.set_index("crate")["probability"].loc[crates].to_numpy())
    yield _row("score", "probability", value, MAX_PSI)


def _calibration(monitor: Monitor) -> Iterator[dict[str, Any]]:
    """Calibration on labels that became known after the champion was tested; no rows without such labels."""
    from ml.drift import MAX_CALIBRATION_RATIO, MAX_ECE, calibration_error, predicted_to_observed

    days, context = monitor.target.horizon_days, monitor.context
    until = monitor.as_of - timedelta(days=days)
    as_of = newest_labels(context.con, context.store, monitor.target, monitor.reference, until)
    if as_of is None:
        return
    frame = at_risk(labelled(context, monitor.target, [LabelSet(as_of, days)]), monitor.target)
    label, probability = frame["label"].to_numpy(), monitor.probability(frame, as_of)
    yield _row("calibration", "ece", calibration_error(label, probability), MAX_ECE, as_of)
    ratio = predicted_to_observed(label, probability)
    if ratio is not None:
        row = _row("calibration", "predicted_to_observed", ratio, MAX_CALIBRATION_RATIO, as_of)
        yield row | {"is_drifted": max(ratio, 1 / ratio) > MAX_CALIBRATION_RATIO}


def _row(kind: str, name: str, value: float, threshold: float, labels_as_of: date | None = None) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "value": value,
        "threshold": threshold,
        "is_drifted": value > threshold,
        "labels_as_of": labels_as_of,
    }
