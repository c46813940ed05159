"""The `drift` table, and the rule for retraining."""

from functools import cache
from typing import NamedTuple

import duckdb
import pyarrow as pa
from dagster import AssetCheckResult, AssetCheckSeverity, MetadataValue, ResourceParam, asset_check

from assets.features.features import features
from assets.features.labels import labels
from assets.partitions import DATE_PARTITIONS, all_partitions
from assets.predictions.monitoring import Monitor
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
    """Population stability index of inputs and scores, and calibration on labels that became known after the champion
    was tested. Inputs that are bounds also move when the source knows dates more or less exactly."""
    from ml.features import COLUMNS

    view(context.con, context.store, "features", context.store.partitions("features"))
    view(context.con, context.store, "predictions", context.key)
    query = f"select crate, {', '.join(COLUMNS)} from features where as_of = $1 order by crate"
    features_on = cache(lambda as_of: context.con.execute(query, [as_of]).df())
    champions = {target: tracking.load(target.name, CHAMPION) for target in TARGETS}
    monitors = [Monitor(context, target, champion, features_on) for target, champion in champions.items() if champion]
    rows = sorted((row for monitor in monitors for row in monitor.rows()), key=lambda row: [row[c] for c in DRIFT.key])
    context.report(drifted=sum(row["is_drifted"] for row in rows))
    context.report(**{f"psi_{row['target']}": row["value"] for row in rows if row["kind"] == "score"})
    return pa.Table.from_pylist(rows, DRIFT.arrow)


class Drifted(NamedTuple):
    """What drifted of one target, in words, and whether the target should be retrained."""

    target: str
    needs_retraining: bool
    words: str


def drifted_targets(con: duckdb.DuckDBPyConnection) -> list[Drifted]:
    """The targets with drift in the view `drift`."""
    from ml.drift import MIN_DRIFTED_SHARE

    rule = (SQL / "shared" / "drifted_targets.sql").read_text()
    return [Drifted(*row) for row in con.execute(rule, {"min_drifted_share": MIN_DRIFTED_SHARE}).fetchall()]


@asset_check(
    asset=drift,
    description="No champion has drifted so far that it needs retraining. The metadata lists every drifted quantity.",
)
def no_retraining_needed(store: ResourceParam[TableStore], sessions: ResourceParam[Sessions]) -> AssetCheckResult:
    """Checks the newest date. Only a warning: predictions remain valid, and `retrain_on_drift` retrains."""
    with sessions.open() as con:
        view(con, store, DRIFT.name, store.partitions(DRIFT.name)[-1])
        found = drifted_targets(con)
    return AssetCheckResult(
        passed=not any(drifted.needs_retraining for drifted in found),
        severity=AssetCheckSeverity.WARN,
        metadata={
            **{drifted.target: MetadataValue.text(drifted.words) for drifted in found},
            "needs_retraining": ", ".join(drifted.target for drifted in found if drifted.needs_retraining),
        },
    )
