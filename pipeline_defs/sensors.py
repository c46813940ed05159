"""What runs when crates.io has something new. The daemon must run (`make ui` starts it)."""

from dagster import RunRequest, SensorEvaluationContext, SkipReason, sensor

from pipeline_defs.instance import register_dates
from pipeline_defs.jobs import refresh_touched
from pipeline_defs.retraining import retrain_on_drift
from resources.common.errors import BadInput, CannotWrite, SourceUnreachable
from resources.crates_io.index import CratesIoIndex, Feeds
from resources.registry.bundled_registry import BundledRegistry
from resources.registry.source import RegistrySource
from resources.warehouse.session import Sessions, first_row, view
from resources.warehouse.table_store import TableStore


@sensor(job=refresh_touched, minimum_interval_seconds=3600)
def crates_io_feeds(
    context: SensorEvaluationContext,
    source: RegistrySource,
    store: TableStore,
    sessions: Sessions,
    index: CratesIoIndex,
) -> RunRequest | SkipReason:
    """Every hour: scores of crates that changed since the newest snapshot, and of those that build on them."""
    if isinstance(source, BundledRegistry):
        return SkipReason("the bundled registry is of the past: set CRATES_SOURCE=crates.io to follow crates.io")
    if not store.partitions("snapshots"):
        return SkipReason(
            "there is no snapshot to count events from: load one first (the schedule daily_snapshot does)"
        )
    if not store.partitions("predictions"):
        return SkipReason("no champion has predicted yet: train one and score a date first")
    base = store.partitions("snapshots")[-1]
    try:
        feeds = _feeds(store, sessions, index, base)
    except (BadInput, CannotWrite, SourceUnreachable) as error:
        return SkipReason(str(error))
    for item in feeds.rejected:
        context.log.warning(f"item {item.item} of a feed is passed over: {item.reason}")
    key = f"{base} {feeds.sha256}"
    if not feeds.names or key == context.cursor:
        return SkipReason(f"the feeds name nothing new since the snapshot of {base}")
    context.update_cursor(key)
    register_dates(context.instance, [base])
    return RunRequest(run_key=key, partition_key=base)


def _feeds(store: TableStore, sessions: Sessions, index: CratesIoIndex, base: str) -> Feeds:
    with sessions.open() as con:
        view(con, store, "snapshots", base)
        taken_at = first_row(con, "select taken_at from snapshots")
    assert taken_at, "a snapshot has one row"
    return index.feeds(taken_at[0])


SENSORS = [crates_io_feeds, retrain_on_drift]
