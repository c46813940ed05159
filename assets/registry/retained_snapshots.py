"""The `retained_snapshots` table, and the removal of expired snapshots."""

from datetime import date

import pyarrow as pa

from assets.partitions import all_partitions
from assets.registry.loading import rejects_of
from assets.registry.quarantine import quarantine
from assets.schemas.registry import EVENTS, QUARANTINE, RETAINED_SNAPSHOTS, SNAPSHOTS
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from resources.registry.source import REQUIRED_TABLES, RegistrySource

SNAPSHOT_TABLES = (
    SNAPSHOTS.name,
    QUARANTINE.name,
    EVENTS.name,
    *REQUIRED_TABLES,
    *(rejects_of(name).name for name in REQUIRED_TABLES),
)


@table_asset(RETAINED_SNAPSHOTS, group="registry", deps=[all_partitions(quarantine)], kinds={"python"}, partitions=None)
def retained_snapshots(context: BuildContext, source: RegistrySource) -> pa.Table:
    """The source overwrites its snapshots, so this project retains them: the newest CRATES_KEEP_SNAPSHOTS and the first
    of each month. Expired ones are removed with their registry tables; features computed from them stay.
    """
    store = context.store
    removed = source.prune()
    freed = sum(store.drop(table, key) for key in removed for table in SNAPSHOT_TABLES)
    space = {key: found for key, found in source.disk_usage().items() if store.find(SNAPSHOTS.name, key)}
    tables = {key: sum(p.bytes for t in SNAPSHOT_TABLES if (p := store.find(t, key))) for key in space}
    context.report(
        removed=len(removed),
        freed_bytes=freed,
        source_bytes=sum(own for _, own in space.values()),
        table_bytes=sum(tables.values()),
    )
    return pa.table(
        {
            "snapshot": [date.fromisoformat(key) for key in space],
            "source_bytes": [whole for whole, _ in space.values()],
            "own_bytes": [own for _, own in space.values()],
            "table_bytes": list(tables.values()),
        },
        schema=RETAINED_SNAPSHOTS.arrow,
    )
