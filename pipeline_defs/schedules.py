"""What runs by itself. The daemon must run (`make ui` starts it)."""

from dagster import RunRequest, ScheduleEvaluationContext, SkipReason, schedule

from pipeline_defs.instance import register_dates
from pipeline_defs.jobs import snapshot_to_scores, train_predictor
from resources.errors import BadInput
from resources.registry_source import RegistrySource


@schedule(job=snapshot_to_scores, cron_schedule="0 6 * * *", execution_timezone="UTC")
def daily_snapshot(context: ScheduleEvaluationContext, source: RegistrySource) -> RunRequest | SkipReason:
    """Takes the source's newest snapshot to scores, once."""
    try:
        manifest = source.manifest()
    except BadInput as error:
        return SkipReason(str(error))
    register_dates(context.instance, [source.snapshot])
    return RunRequest(run_key=manifest["snapshot_at"], partition_key=source.snapshot)


@schedule(job=train_predictor, cron_schedule="0 7 * * 1", execution_timezone="UTC")
def weekly_training() -> RunRequest:
    """Trains again as labels mature; without new ones the model is the same, byte for byte."""
    return RunRequest()


SCHEDULES = [daily_snapshot, weekly_training]
