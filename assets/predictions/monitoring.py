"""What is watched of one target: the inputs of its champion, what that says, and whether it comes true."""

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
class Watch:
    """A target with its champion, on one as-of date; `features_on` gives the features of a date, by crate."""

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
        """The rows of `drift`. Raises BadInput if there is nothing to hold the date against."""
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
        """What the champion says of each row of `frame`, features of one date."""
        return event_probability(self.context, self.champion.model, frame, as_of)


def newest_labels(
    con: duckdb.DuckDBPyConnection, store: TableStore, target: Target, after: date, until: date = date.max
) -> date | None:
    """The newest date after `after` with labels over the target's horizon; makes the labels of such dates visible."""
    keys = [key for key in store.partitions("labels") if after < date.fromisoformat(key) <= until]
    if not keys:
        return None
    view(con, store, "labels", keys)
    query = "select max(as_of) from labels where target = $target and horizon_days = $days and label is not null"
    found = first_row(con, query, {"target": target.name, "days": target.horizon_days})
    return found[0] if found else None


def _inputs(watch: Watch) -> Iterator[dict[str, Any]]:
    """Over all crates: a champion that looks at whole builds meets every one of them."""
    from ml.drift import MAX_PSI, stability_index
    from ml.features import matrix
    from ml.models.additive import Additive

    model = watch.champion.model
    names = model.inputs if isinstance(model, Additive) else model.hazard.inputs
    was, now = (matrix(watch.features_on(as_of), names) for as_of in (watch.reference, watch.as_of))
    for i, name in enumerate(names):
        yield _row("input", name, stability_index(was[:, i], now[:, i]), MAX_PSI)


def _score(watch: Watch) -> Iterator[dict[str, Any]]:
    """Over the crates at risk. Raises BadInput if the predictions of the date are not the champion's."""
    from ml.drift import MAX_PSI, stability_index

    said = watch.context.con.execute(
        "select crate, probability from predictions where target = $target and model_id = $model_id",
        {"target": watch.target.name, "model_id": watch.champion.tags[MODEL_ID]},
    ).df()
    if said.empty:
        raise BadInput(
            f"the champion of {watch.target.name} is not the one that predicted {watch.as_of}: "
            "materialize predictions of that date again"
        )
    now = watch.features_on(watch.as_of)
    crates = now["crate"][watch.target.at_risk(now)]
    was = watch.probability(at_risk(watch.features_on(watch.reference), watch.target), watch.reference)
    value = stability_index(was, said.set_index("crate")["probability"].loc[crates].to_numpy())
    yield _row("score", "probability", value, MAX_PSI)


def _calibration(watch: Watch) -> Iterator[dict[str, Any]]:
    """On labels that matured since the champion was tested: without such, nothing."""
    from ml.drift import MAX_CALIBRATION_RATIO, MAX_ECE, calibration_error, predicted_to_observed

    days, context = watch.target.horizon_days, watch.context
    until = watch.as_of - timedelta(days=days)
    as_of = newest_labels(context.con, context.store, watch.target, watch.reference, until)
    if as_of is None:
        return
    frame = at_risk(labelled(context, watch.target, [LabelSet(as_of, days)]), watch.target)
    label, probability = frame["label"].to_numpy(), watch.probability(frame, as_of)
    yield _row("calibration", "ece", calibration_error(label, probability), MAX_ECE, as_of)
    times = predicted_to_observed(label, probability)
    if times is not None:
        row = _row("calibration", "predicted_to_observed", times, MAX_CALIBRATION_RATIO, as_of)
        yield row | {"is_drifted": max(times, 1 / times) > MAX_CALIBRATION_RATIO}


def _row(kind: str, name: str, value: float, threshold: float, labels_as_of: date | None = None) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "value": value,
        "threshold": threshold,
        "is_drifted": value > threshold,
        "labels_as_of": labels_as_of,
    }
