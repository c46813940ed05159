"""Training between the weekly runs, on drift. The daemon must run (`crates ui` starts it)."""

from datetime import date

from dagster import ResourceParam, RunRequest, SensorEvaluationContext, SkipReason, sensor

from assets.predictions.drift import drifted_targets
from assets.predictions.monitoring import newest_labels
from assets.predictions.predictor import CHALLENGER
from assets.schemas.drift import DRIFT
from ml.targets import TARGETS
from pipeline_defs.jobs import train_predictor
from resources.common.errors import BadInput
from resources.tracking import Tracking
from resources.warehouse.session import Sessions, first_row, view
from resources.warehouse.table_store import TableStore


@sensor(
    job=train_predictor,
    minimum_interval_seconds=3600,
    description="Every hour: trains if a champion drifted and labels have matured since, once per date and champions.",
)
def retrain_on_drift(
    context: SensorEvaluationContext,
    store: ResourceParam[TableStore],
    sessions: ResourceParam[Sessions],
    tracking: ResourceParam[Tracking],
) -> RunRequest | SkipReason:
    dates = store.partitions(DRIFT.name)
    if not dates:
        return SkipReason("drift has not been measured yet: run score_crates for a date first")
    as_of = dates[-1]
    try:
        with sessions.open() as con:
            view(con, store, DRIFT.name, as_of)
            drifted = {found.target for found in drifted_targets(con) if found.needs_retraining}
            if not drifted:
                return SkipReason(f"no champion drifted enough by {as_of} to be retrained")
            models = first_row(con, "select string_agg(distinct model_id, ' ' order by model_id) from drift")
            key = f"{as_of} {models and models[0]}"
            if key == context.cursor:
                return SkipReason(f"training on the drift of {as_of} was already requested")
            tested = {target: _tested(tracking, target.name) for target in TARGETS if target.name in drifted}
            if not any(newest_labels(con, store, target, after=on) for target, on in tested.items()):
                return SkipReason(_no_new_labels(as_of, {target.name: on for target, on in tested.items()}))
    except BadInput as error:
        return SkipReason(str(error))
    context.update_cursor(key)
    return RunRequest(run_key=key)


def _tested(tracking: Tracking, target: str) -> date:
    """The date of the labels that the newest model, champion or not, was tested on."""
    newest = tracking.load(target, CHALLENGER)
    return date.fromisoformat(newest.tags["test_as_of"]) if newest else date.min


def _no_new_labels(as_of: str, tested: dict[str, date]) -> str:
    newest = ", ".join(f"{target} {on}" for target, on in tested.items())
    return (
        f"training would change nothing: the champions that drifted by {as_of} were trained on every mature label "
        f"(newest: {newest})"
    )
