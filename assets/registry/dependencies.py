"""The `dependencies` table."""

import pyarrow as pa

from assets.partitions import SNAPSHOT_PARTITIONS
from assets.registry.loading import load
from assets.registry.versions import versions
from assets.schemas.registry import DEPENDENCIES
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from resources.registry.source import RegistrySource


@table_asset(
    DEPENDENCIES,
    group="registry",
    deps=[versions],
    kinds={"sql", "duckdb"},
    partitions=SNAPSHOT_PARTITIONS,
)
def dependencies(context: BuildContext, source: RegistrySource) -> pa.RecordBatchReader:
    """The dependency graph of any past date, since published dependencies never change."""
    return load(context, source, DEPENDENCIES)
