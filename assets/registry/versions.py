"""The `versions` table."""

import pyarrow as pa

from assets.partitions import SNAPSHOT_PARTITIONS
from assets.registry.crates import crates
from assets.registry.loading import load
from assets.schemas.registry import VERSIONS
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from resources.registry.source import RegistrySource


@table_asset(
    VERSIONS,
    group="registry",
    deps=[crates],
    kinds={"sql", "duckdb"},
    partitions=SNAPSHOT_PARTITIONS,
)
def versions(context: BuildContext, source: RegistrySource) -> pa.RecordBatchReader:
    """When each version was published: the basis of every point-in-time query."""
    return load(context, source, VERSIONS)
