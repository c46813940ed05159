"""What runs by itself. The daemon must run (`make ui` starts it)."""

from dagster import RunRequest, ScheduleEvaluationContext, SkipReason, schedule

from assets.table_asset import SQL
from pipeline_defs.instance import register_dates
from pipeline_defs.jobs import ALL_SHARDS, compute_labels, enrich_texts, snapshot_to_scores, train_predictor
from resources.common.errors import BadInput, SourceUnreachable
from resources.registry.source import RegistrySource
from resources.warehouse.session import Sessions, set_variables, view
from resources.warehouse.table_store import TableStore


@schedule(job=snapshot_to_scores, cron_schedule="0 6 * * *", execution_timezone="UTC")
def daily_snapshot(context: ScheduleEvaluationContext, source: RegistrySource) -> RunRequest | SkipReason:
    """Takes the source's newest snapshot to scores, once."""
    try:
        newest = source.newest()
    except (BadInput, SourceUnreachable) as error:
        return SkipReason(str(error))
    register_dates(context.instance, [newest.key])
    return RunRequest(run_key=newest.taken_at.isoformat(), partition_key=newest.key)


@schedule(job=compute_labels, cron_schedule="0 7 * * *", execution_timezone="UTC")
def daily_labels(store: TableStore, sessions: Sessions) -> list[RunRequest] | SkipReason:
    """Makes labels anew whose horizon has passed by the newest snapshot: what weekly training learns from."""
    snapshots, labelled = store.partitions("snapshots"), store.partitions("labels")
    if not snapshots or not labelled:
        return SkipReason("there are no labels yet: materialize features and labels of some dates first")
    with sessions.open() as con:
        view(con, store, "snapshots", snapshots[-1])
        view(con, store, "labels", labelled)
        set_variables(con, snapshot_at=con.execute("select taken_at from snapshots").fetchall()[0][0])
        matured = con.execute((SQL / "shared" / "matured_labels.sql").read_text()).fetchall()
    if not matured:
        return SkipReason(f"no horizon has passed by the newest snapshot ({snapshots[-1]}) since the labels were made")
    return [RunRequest(run_key=f"{date} by {snapshots[-1]}", partition_key=date) for (date,) in matured]


@schedule(job=train_predictor, cron_schedule="0 8 * * 1", execution_timezone="UTC")
def weekly_training() -> RunRequest:
    """Trains again as labels mature; without new ones the model is the same, byte for byte."""
    return RunRequest()


@schedule(job=enrich_texts, cron_schedule="0 9 * * *", execution_timezone="UTC")
def daily_enrichment() -> RunRequest:
    """Reads the texts that are new, of all shards as one run. Without new ones nothing is asked or changed."""
    return RunRequest(tags=ALL_SHARDS)


SCHEDULES = [daily_snapshot, daily_labels, daily_enrichment, weekly_training]
