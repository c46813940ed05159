"""The `drift` table, and what of it calls for training anew."""

from functools import cache
from typing import NamedTuple

import duckdb
import pyarrow as pa
from dagster import AssetCheckResult, AssetCheckSeverity, MetadataValue, ResourceParam, asset_check

from assets.features.features import features
from assets.features.labels import labels
from assets.partitions import DATE_PARTITIONS, all_partitions
from assets.predictions.monitoring import Watch
from assets.predictions.predictions import predictions
from assets.predictions.predictor import CHAMPION
from assets.schemas.drift import DRIFT
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from ml.targets import TARGETS
from resources.tracking import Tracking
from resources.warehouse.session import Sessions, view
from resources.warehouse.table_store import TableStore


@table_asset(
    DRIFT,
    group="predictions",
    deps=[predictions, all_partitions(features), all_partitions(labels)],
    kinds={"python", "mlflow"},
    partitions=DATE_PARTITIONS,
)
def drift(context: BuildContext, tracking: Tracking) -> pa.Table:
    """Inputs and scores by their population stability index, calibration on labels that matured since the champion was
    tested. Inputs that bound a date move as the source knows dates more or less exactly."""
    from ml.features import COLUMNS

    view(context.con, context.store, "features", context.store.partitions("features"))
    view(context.con, context.store, "predictions", context.key)
    query = f"select crate, {', '.join(COLUMNS)} from features where as_of = $1 order by crate"
    features_on = cache(lambda as_of: context.con.execute(query, [as_of]).df())
    champions = {target: tracking.load(target.name, CHAMPION) for target in TARGETS}
    watches = [Watch(context, target, champion, features_on) for target, champion in champions.items() if champion]
    rows = sorted((row for watch in watches for row in watch.rows()), key=lambda row: [row[c] for c in DRIFT.key])
    context.report(drifted=sum(row["is_drifted"] for row in rows))
    context.report(**{f"psi_{row['target']}": row["value"] for row in rows if row["kind"] == "score"})
    return pa.Table.from_pylist(rows, DRIFT.arrow)


class Drifted(NamedTuple):
    """What drifted of one target, in words, and whether it calls for training anew."""

    target: str
    calls_for_training: bool
    words: str


def drifted_targets(con: duckdb.DuckDBPyConnection) -> list[Drifted]:
    """By the `drift` that is visible; targets of which nothing drifted are left out."""
    from ml.drift import MIN_DRIFTED_SHARE

    rule = (SQL / "shared" / "drifted_targets.sql").read_text()
    return [Drifted(*row) for row in con.execute(rule, {"min_drifted_share": MIN_DRIFTED_SHARE}).fetchall()]


@asset_check(asset=drift, description="What the champions see and say is as it was, and what they said came true.")
def nothing_drifted(store: ResourceParam[TableStore], sessions: ResourceParam[Sessions]) -> AssetCheckResult:
    """Of the newest date. A warning: predictions stand, and `retrain_on_drift` trains where that can help."""
    with sessions.open() as con:
        view(con, store, DRIFT.name, store.partitions(DRIFT.name)[-1])
        found = drifted_targets(con)
    return AssetCheckResult(
        passed=not found,
        severity=AssetCheckSeverity.WARN,
        metadata={
            **{drifted.target: MetadataValue.text(drifted.words) for drifted in found},
            "calls_for_training": ", ".join(drifted.target for drifted in found if drifted.calls_for_training),
        },
    )
