"""The `drift` table, and what of it calls for training anew."""

from functools import cache
from typing import NamedTuple

import duckdb
import pyarrow as pa
from dagster import AssetCheckResult, AssetCheckSeverity, MetadataValue, asset_check

from assets.features.features import features
from assets.features.labels import labels
from assets.predictions.monitoring import Watch
from assets.predictions.predictions import predictions
from assets.predictions.predictor import CHAMPION
from assets.schemas.drift import DRIFT
from assets.table_asset import SQL, Inputs, all_partitions, table_asset
from ml.targets import TARGETS
from resources.warehouse.session import Sessions, view
from resources.warehouse.table_store import TableStore


@table_asset(
    DRIFT,
    group="predictions",
    deps=[predictions, all_partitions(features), all_partitions(labels)],
    kinds={"python", "mlflow"},
)
def drift(inputs: Inputs) -> pa.Table:
    """Inputs and scores by their population stability index, calibration on labels that matured since the champion was
    tested. Inputs that bound a date move as the source knows dates more or less exactly."""
    from ml.features import COLUMNS

    view(inputs.con, inputs.store, "features", inputs.store.partitions("features"))
    view(inputs.con, inputs.store, "predictions", inputs.key)
    query = f"select crate, {', '.join(COLUMNS)} from features where as_of = $1 order by crate"
    features_on = cache(lambda as_of: inputs.con.execute(query, [as_of]).df())
    champions = {target: inputs.tools.tracking.load(target.name, CHAMPION) for target in TARGETS}
    watches = [Watch(inputs, target, champion, features_on) for target, champion in champions.items() if champion]
    rows = sorted((row for watch in watches for row in watch.rows()), key=lambda row: [row[c] for c in DRIFT.key])
    inputs.report(drifted=sum(row["is_drifted"] for row in rows))
    inputs.report(**{f"psi_{row['target']}": row["value"] for row in rows if row["kind"] == "score"})
    return pa.Table.from_pylist(rows, DRIFT.arrow)


class Drifted(NamedTuple):
    """What drifted of one target, in words, and whether it calls for training anew."""

    target: str
    calls_for_training: bool
    words: str


def drifted_targets(con: duckdb.DuckDBPyConnection) -> list[Drifted]:
    """By the `drift` that is visible; targets of which nothing drifted are left out."""
    from ml.drift import SHARE_OF_INPUTS

    rule = (SQL / "shared" / "drifted_targets.sql").read_text()
    return [Drifted(*row) for row in con.execute(rule, {"share_of_inputs": SHARE_OF_INPUTS}).fetchall()]


@asset_check(asset=drift, description="What the champions see and say is as it was, and what they said came true.")
def nothing_drifted(store: TableStore, sessions: Sessions) -> AssetCheckResult:
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
