"""Training data: features joined with labels, as frames for `ml`."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from assets.table_build import SQL, BuildContext
from ml.datasets import Fold, LabelSet, TooFewDates, folds
from ml.targets import Target
from resources.common.errors import BadInput
from resources.warehouse.session import view

if TYPE_CHECKING:
    import pandas as pd

WITHOUT_LISTS = "* exclude (build, tree_vulnerable_names, tree_unmaintained_names)"  # lists are slow in pandas


def attach(context: BuildContext) -> None:
    """Creates the views `features` and `labels` over every date that has both."""
    keys = sorted(set(context.store.partitions("features")) & set(context.store.partitions("labels")))
    if not keys:
        raise BadInput("there are no features with labels: materialize features and labels for some as-of dates first")
    view(context.con, context.store, "features", keys)
    view(context.con, context.store, "labels", keys)


def folds_of(context: BuildContext, target: Target) -> list[Fold]:
    """The walk-forward folds of a target over all known labels. Raises BadInput if there are none."""
    found = context.con.execute(
        "select distinct as_of, horizon_days from labels where target = $target and label is not null",
        {"target": target.name},
    ).fetchall()
    try:
        return folds(target, [LabelSet(*row) for row in found])
    except TooFewDates as error:
        raise BadInput(f"{target.name}: {error}") from error


def labelled(context: BuildContext, target: Target, sets: Sequence[LabelSet]) -> "pd.DataFrame":
    """Rows of `features` of these dates with `label` (bool) and `exposure_days`, sorted by date and crate."""
    context.con.execute(
        "create or replace temp table chosen_labels as select unnest($1)::date as as_of, unnest($2) as horizon_days",
        [[s.as_of for s in sets], [s.horizon_days for s in sets]],
    )
    found = context.con.execute((SQL / "training.sql").read_text(), {"target": target.name}).df()
    return found.assign(label=found["label"].astype(bool))


def features_of(context: BuildContext, as_of: date) -> "pd.DataFrame":
    """All rows of `features` of one date, sorted by crate."""
    return context.con.execute(f"select {WITHOUT_LISTS} from features where as_of = $1 order by crate", [as_of]).df()


def data_hash(context: BuildContext, dates: Iterable[date]) -> str:
    """A hash of all bytes of features and labels of these dates."""
    parts = [
        context.store.require(table, str(d)).sha256 for table in ("features", "labels") for d in sorted(set(dates))
    ]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]
