"""The `kept_snapshots` table, and the removal of what is kept no longer."""

from datetime import date

import pyarrow as pa

from assets.registry.loading import rejects_of
from assets.registry.quarantine import quarantine
from assets.schemas.registry import EVENTS, KEPT_SNAPSHOTS, QUARANTINE, SNAPSHOTS
from assets.table_asset import Inputs, all_partitions, table_asset
from resources.registry.source import NEEDS

OF_A_SNAPSHOT = (SNAPSHOTS.name, QUARANTINE.name, EVENTS.name, *NEEDS, *(rejects_of(name).name for name in NEEDS))


@table_asset(KEPT_SNAPSHOTS, group="registry", deps=[all_partitions(quarantine)], kinds={"python"}, partitions=None)
def kept_snapshots(inputs: Inputs) -> pa.Table:
    """The source overwrites its snapshots, so they are kept here: the newest CRATES_KEEP_SNAPSHOTS, and the first of
    each month. Older ones are removed with their registry tables; features computed from them stay.
    """
    source, store = inputs.tools.source, inputs.store
    removed = source.prune()
    freed = sum(store.drop(table, key) for key in removed for table in OF_A_SNAPSHOT)
    space = {key: found for key, found in source.space().items() if store.find(SNAPSHOTS.name, key)}
    tables = {key: sum(p.bytes for t in OF_A_SNAPSHOT if (p := store.find(t, key))) for key in space}
    inputs.report(
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
        schema=KEPT_SNAPSHOTS.arrow,
    )
