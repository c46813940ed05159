"""The `texts` table."""

import pyarrow as pa

from assets.partitions import SNAPSHOT_PARTITIONS
from assets.registry.crates import crates
from assets.registry.loading import load
from assets.registry.versions import versions
from assets.schemas.registry import TEXTS
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from resources.registry.source import RegistrySource


@table_asset(
    TEXTS,
    group="enrichment",
    deps=[crates, versions],
    kinds={"sql", "duckdb"},
    partitions=SNAPSHOT_PARTITIONS,
)
def texts(context: BuildContext, source: RegistrySource) -> pa.RecordBatchReader:
    """The descriptions and READMEs that enrichments are made from."""
    return load(context, source, TEXTS)
