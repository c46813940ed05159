"""What runs at fixed times. The daemon must run (`crates ui` starts it)."""

from dagster import ResourceParam, RunRequest, ScheduleEvaluationContext, SkipReason, schedule

from assets.partitions import ALL_SHARDS
from assets.table_build import SQL
from pipeline_defs.instance import register_snapshots
from pipeline_defs.jobs import compute_labels, enrich_texts, load_snapshot, train_predictor
from resources.common.errors import BadInput, SourceUnreachable
from resources.registry.source import RegistrySource
from resources.warehouse.session import Sessions, set_variables, view
from resources.warehouse.table_store import TableStore


@schedule(
    job=load_snapshot,
    cron_schedule="0 6 * * *",
    execution_timezone="UTC",
    description="Loads the source's newest snapshot, once. The sensor score_loaded_snapshot then scores it.",
)
def daily_snapshot(
    context: ScheduleEvaluationContext, source: ResourceParam[RegistrySource]
) -> RunRequest | SkipReason:
    try:
        newest = source.newest()
    except (BadInput, SourceUnreachable) as error:
        return SkipReason(str(error))
    register_snapshots(context.instance, [newest.key])
    return RunRequest(run_key=newest.taken_at.isoformat(), partition_key=newest.key)


@schedule(
    job=compute_labels,
    cron_schedule="0 7 * * *",
    execution_timezone="UTC",
    description="Computes labels of dates whose horizon ended by the newest snapshot. Weekly training uses them.",
)
def daily_labels(store: ResourceParam[TableStore], sessions: ResourceParam[Sessions]) -> list[RunRequest] | SkipReason:
    snapshots, labelled = store.partitions("snapshots"), store.partitions("labels")
    if not snapshots or not labelled:
        return SkipReason("there are no labels yet: materialize features and labels of some dates first")
    with sessions.open() as con:
        view(con, store, "snapshots", snapshots[-1])
        view(con, store, "labels", labelled)
        set_variables(con, snapshot_at=con.execute("select taken_at from snapshots").fetchall()[0][0])
        matured = con.execute((SQL / "shared" / "matured_labels.sql").read_text()).fetchall()
    if not matured:
        return SkipReason(f"no horizon has ended between the last labels and the newest snapshot ({snapshots[-1]})")
    return [RunRequest(run_key=f"{date} by {snapshots[-1]}", partition_key=date) for (date,) in matured]


@schedule(
    job=train_predictor,
    cron_schedule="0 8 * * 1",
    execution_timezone="UTC",
    description="Trains every week as labels mature. Without new labels the model is the same, byte for byte.",
)
def weekly_training() -> RunRequest:
    return RunRequest()


@schedule(
    job=enrich_texts,
    cron_schedule="0 9 * * *",
    execution_timezone="UTC",
    description="Reads new texts of all shards in one run. Without new texts it changes nothing.",
)
def daily_enrichment() -> RunRequest:
    return RunRequest(tags=ALL_SHARDS)


SCHEDULES = [daily_snapshot, daily_labels, daily_enrichment, weekly_training]
