"""The `snapshots` table."""

from datetime import date

import pyarrow as pa
from dagster import Backoff, RetryPolicy

from assets.registry.sources import REGISTRY_SOURCE
from assets.schemas.registry import SNAPSHOTS
from assets.table_asset import Inputs, table_asset


@table_asset(
    SNAPSHOTS,
    group="registry",
    deps=[REGISTRY_SOURCE],
    kinds={"python"},
    # a server that is down for a while; what was fetched by then is not fetched again
    retries=RetryPolicy(max_retries=3, delay=300, backoff=Backoff.EXPONENTIAL),
)
def snapshots(inputs: Inputs) -> pa.Table:
    """Brings the snapshot here, verifies every byte of it, and says what the other tables are loaded from."""
    snapshot = inputs.tools.source.fetch(inputs.key, inputs.log.info)
    inputs.origin = snapshot.sha256
    inputs.report(source_bytes=snapshot.bytes, fetched_bytes=snapshot.bytes_fetched)
    return pa.table(
        {
            "snapshot": [date.fromisoformat(inputs.key)],
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
