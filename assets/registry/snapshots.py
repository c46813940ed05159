"""The `snapshots` table."""

from datetime import date, datetime

import pyarrow as pa

from assets.registry.sources import REGISTRY_SOURCE
from assets.schemas.registry import SNAPSHOTS
from assets.table_asset import Inputs, table_asset
from resources.registry_source import manifest_hash


@table_asset(SNAPSHOTS, group="registry", deps=[REGISTRY_SOURCE], kinds={"python"})
def snapshots(inputs: Inputs) -> pa.Table:
    """Says what the other tables of the snapshot were loaded from, after every byte of it was verified."""
    manifest = inputs.tools.source.verify(inputs.key)
    inputs.origin = manifest_hash(manifest)
    return pa.table(
        {
            "snapshot": [date.fromisoformat(inputs.key)],
            "taken_at": [inputs.tools.source.snapshot_at],
            "advisories_read_at": [datetime.fromisoformat(manifest["advisories_at"])],
            "source": [manifest["source"]],
            "source_sha256": [inputs.origin],
        }
    )
