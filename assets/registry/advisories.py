"""The `advisories` table."""

import pyarrow as pa

from assets.partitions import SNAPSHOT_PARTITIONS
from assets.registry.loading import load
from assets.registry.snapshots import snapshots
from assets.registry.sources import ADVISORY_SOURCE
from assets.schemas.registry import ADVISORIES
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from resources.registry.source import RegistrySource


@table_asset(
    ADVISORIES,
    group="registry",
    deps=[ADVISORY_SOURCE, snapshots],
    kinds={"sql", "duckdb"},
    partitions=SNAPSHOT_PARTITIONS,
)
def advisories(context: BuildContext, source: RegistrySource) -> pa.RecordBatchReader:
    """Vulnerabilities and warnings from the time they became known, which is later than the date in the advisory."""
    return load(context, source, ADVISORIES)
