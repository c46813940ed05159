"""The `crates` table."""

import pyarrow as pa

from assets.partitions import SNAPSHOT_PARTITIONS
from assets.registry.loading import load
from assets.registry.snapshots import snapshots
from assets.schemas.registry import CRATES
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from resources.registry.source import RegistrySource


@table_asset(
    CRATES,
    group="registry",
    deps=[snapshots],
    kinds={"sql", "duckdb"},
    partitions=SNAPSHOT_PARTITIONS,
)
def crates(context: BuildContext, source: RegistrySource) -> pa.RecordBatchReader:
    """The crates that every other table refers to."""
    return load(context, source, CRATES)
