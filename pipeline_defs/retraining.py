"""What trains again before the week is over. The daemon must run (`make ui` starts it)."""

from datetime import date

from dagster import RunRequest, SensorEvaluationContext, SkipReason, sensor

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


@sensor(job=train_predictor, minimum_interval_seconds=3600)
def retrain_on_drift(
    context: SensorEvaluationContext, store: TableStore, sessions: Sessions, tracking: Tracking
) -> RunRequest | SkipReason:
    """Every hour: trains if the champions drifted and labels have matured since, once per date and champions."""
    dates = store.partitions(DRIFT.name)
    if not dates:
        return SkipReason("nothing was watched yet: score a date first (the job score_crates)")
    as_of = dates[-1]
    try:
        with sessions.open() as con:
            view(con, store, DRIFT.name, as_of)
            drifted = {found.target for found in drifted_targets(con) if found.calls_for_training}
            if not drifted:
                return SkipReason(f"nothing drifted by {as_of} that calls for training (check nothing_drifted)")
            models = first_row(con, "select string_agg(distinct model_id, ' ' order by model_id) from drift")
            key = f"{as_of} {models and models[0]}"
            if key == context.cursor:
                return SkipReason(f"training was asked for on the drift of {as_of} already")
            tested = {target: _tested(tracking, target.name) for target in TARGETS if target.name in drifted}
            if not any(newest_labels(con, store, target, after=on) for target, on in tested.items()):
                return SkipReason(_in_vain(as_of, {target.name: on for target, on in tested.items()}))
    except BadInput as error:
        return SkipReason(str(error))
    context.update_cursor(key)
    return RunRequest(run_key=key)


def _tested(tracking: Tracking, target: str) -> date:
    """The date of the labels that the newest model, champion or not, was tested on."""
    newest = tracking.load(target, CHALLENGER)
    return date.fromisoformat(newest.tags["test_as_of"]) if newest else date.min


def _in_vain(as_of: str, tested: dict[str, date]) -> str:
    newest = ", ".join(f"{target} {on}" for target, on in tested.items())
    return (
        f"training would learn nothing new: what drifted by {as_of} was trained on all labels that have matured, the "
        f"newest of which are of {newest}"
    )
