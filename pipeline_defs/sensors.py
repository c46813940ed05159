"""What runs when something new arrives. The daemon must run (`crates ui` starts it)."""

from dagster import (
    DagsterRunStatus,
    ResourceParam,
    RunRequest,
    RunStatusSensorContext,
    SensorEvaluationContext,
    SkipReason,
    run_status_sensor,
    sensor,
)

from pipeline_defs.instance import PROCESS_TAG, register_dates, register_snapshots
from pipeline_defs.jobs import load_snapshot, refresh_touched, score_snapshot
from pipeline_defs.retraining import retrain_on_drift
from resources.common.errors import BadInput, CannotWrite, SourceUnreachable
from resources.crates_io.index import CratesIoIndex, Feeds
from resources.registry.bundled_registry import BundledRegistry
from resources.registry.source import RegistrySource
from resources.warehouse.session import Sessions, first_row, view
from resources.warehouse.table_store import TableStore


@run_status_sensor(
    run_status=DagsterRunStatus.SUCCESS,
    monitored_jobs=[load_snapshot],
    request_job=score_snapshot,
    description="Scores the newest snapshot as soon as it is loaded.",
)
def score_loaded_snapshot(context: RunStatusSensorContext, store: ResourceParam[TableStore]) -> RunRequest | SkipReason:
    run = context.dagster_run
    if PROCESS_TAG in run.tags:
        return SkipReason("a command line loaded this snapshot and scores it itself")
    key, newest = run.tags.get("dagster/partition"), store.partitions("snapshots")[-1:]
    if [key] != newest:
        return SkipReason(f"{key} is not the newest snapshot ({', '.join(newest) or 'there is none'})")
    register_dates(context.instance, newest)
    return RunRequest(run_key=run.run_id, partition_key=key)


@sensor(
    job=refresh_touched,
    minimum_interval_seconds=3600,
    description="Every hour: scores the crates that changed since the newest snapshot, and those that build on them.",
)
def crates_io_feeds(
    context: SensorEvaluationContext,
    source: ResourceParam[RegistrySource],
    store: ResourceParam[TableStore],
    sessions: ResourceParam[Sessions],
    index: ResourceParam[CratesIoIndex],
) -> RunRequest | SkipReason:
    if isinstance(source, BundledRegistry):
        return SkipReason("the bundled registry does not change: set CRATES_SOURCE=crates.io to follow crates.io")
    snapshots = store.partitions("snapshots")
    if not snapshots:
        return SkipReason("no snapshot is loaded yet: run load_snapshot (the schedule daily_snapshot does)")
    if not store.partitions("predictions"):
        return SkipReason("there are no predictions yet: run train_predictor, then score_crates for a date")
    base = snapshots[-1]
    try:
        feeds = _feeds(store, sessions, index, base)
    except (BadInput, CannotWrite, SourceUnreachable) as error:
        return SkipReason(str(error))
    for item in feeds.rejected:
        context.log.warning(f"item {item.item} of a feed is skipped: {item.reason}")
    key = f"{base} {feeds.sha256}"
    if not feeds.names or key == context.cursor:
        return SkipReason(f"the feeds have no crate that changed since the snapshot of {base}")
    context.update_cursor(key)
    register_snapshots(context.instance, [base])
    return RunRequest(run_key=key, partition_key=base)


def _feeds(store: TableStore, sessions: Sessions, index: CratesIoIndex, base: str) -> Feeds:
    with sessions.open() as con:
        view(con, store, "snapshots", base)
        taken_at = first_row(con, "select taken_at from snapshots")
    assert taken_at, "a snapshot has one row"
    return index.feeds(taken_at[0])


SENSORS = [score_loaded_snapshot, crates_io_feeds, retrain_on_drift]
