"""The `snapshots` table."""

from datetime import date

import pyarrow as pa
from dagster import Backoff, RetryPolicy

from assets.partitions import SNAPSHOT_PARTITIONS
from assets.registry.sources import REGISTRY_SOURCE
from assets.schemas.registry import SNAPSHOTS
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from resources.registry.source import RegistrySource


@table_asset(
    SNAPSHOTS,
    group="registry",
    deps=[REGISTRY_SOURCE],
    kinds={"python"},
    partitions=SNAPSHOT_PARTITIONS,
    # a server may be down for a while; files that are complete are not fetched again
    retries=RetryPolicy(max_retries=3, delay=300, backoff=Backoff.EXPONENTIAL),
)
def snapshots(context: BuildContext, source: RegistrySource) -> pa.Table:
    """Fetches the snapshot, verifies every byte and records what the other tables are loaded from."""
    snapshot = source.fetch(context.key, context.log.info)
    context.origin = snapshot.sha256
    context.report(source_bytes=snapshot.bytes, fetched_bytes=snapshot.bytes_fetched)
    return pa.table(
        {
            "snapshot": [date.fromisoformat(context.key)],
            "taken_at": [snapshot.taken_at],
            "advisories_read_at": [snapshot.advisories_read_at],
            "source": [snapshot.source],
            "source_sha256": [snapshot.sha256],
            "tables": [list(snapshot.tables)],
            "source_bytes": [snapshot.bytes],
            "fetched_bytes": [snapshot.bytes_fetched],
        },
        schema=SNAPSHOTS.arrow,
    )
