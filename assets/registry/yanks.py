"""The `yanks` table."""

import pyarrow as pa

from assets.partitions import SNAPSHOT_PARTITIONS
from assets.registry.loading import load
from assets.registry.versions import versions
from assets.schemas.registry import YANKS
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from resources.registry.source import RegistrySource


@table_asset(
    YANKS,
    group="registry",
    deps=[versions],
    kinds={"sql", "duckdb"},
    partitions=SNAPSHOT_PARTITIONS,
)
def yanks(context: BuildContext, source: RegistrySource) -> pa.RecordBatchReader:
    """A yank is known from the time of the yank, an un-yank from the time of the un-yank."""
    return load(context, source, YANKS)
