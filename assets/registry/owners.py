"""The `owners` table."""

import pyarrow as pa

from assets.partitions import SNAPSHOT_PARTITIONS
from assets.registry.crates import crates
from assets.registry.loading import load
from assets.schemas.registry import OWNERS
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from resources.registry.source import RegistrySource


@table_asset(
    OWNERS,
    group="registry",
    deps=[crates],
    kinds={"sql", "duckdb"},
    partitions=SNAPSHOT_PARTITIONS,
)
def owners(context: BuildContext, source: RegistrySource) -> pa.RecordBatchReader:
    """The accounts that may publish. The source forgets removed owners, so past owners are a lower bound."""
    return load(context, source, OWNERS)
