"""Features joined with labels, as the frames that `ml` takes."""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from assets.table_asset import SQL, Inputs
from ml.split import Split, TooFewDates, split
from ml.targets import Target
from resources.errors import BadInput
from resources.session import view

if TYPE_CHECKING:
    import pandas as pd


def attach(inputs: Inputs) -> None:
    """Makes `features` and `labels` of every date that has both visible."""
    keys = sorted(set(inputs.store.partitions("features")) & set(inputs.store.partitions("labels")))
    if not keys:
        raise BadInput("there are no features with labels: materialize features and labels for some as-of dates first")
    view(inputs.con, inputs.store, "features", keys)
    view(inputs.con, inputs.store, "labels", keys)


def dates_of(inputs: Inputs, target: Target) -> Split:
    """The as-of dates that train, calibrate and test a target. Raises BadInput if there are too few."""
    found = inputs.con.execute(
        "select distinct as_of from labels where target = $target and horizon_days = $days and label is not null",
        {"target": target.name, "days": target.horizon_days},
    ).fetchall()
    try:
        return split([row[0] for row in found], target.horizon_days)
    except TooFewDates as error:
        raise BadInput(f"{target.name}: {error}") from error


def frame(inputs: Inputs, target: Target, dates: Sequence[date]) -> "pd.DataFrame":
    """Rows of `features` of these dates with a bool column `label`, in the order of date and crate."""
    values = {"target": target.name, "horizon_days": target.horizon_days, "dates": list(dates)}
    found = inputs.con.execute((SQL / "training.sql").read_text(), values).df()
    return found.assign(label=found["label"].astype(bool))


def data_hash(inputs: Inputs, dates: Sequence[date]) -> str:
    """A hash of every byte of features and labels of these dates."""
    parts = [inputs.store.need(table, str(d)).sha256 for table in ("features", "labels") for d in dates]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]
