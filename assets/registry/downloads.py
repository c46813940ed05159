"""The `downloads` table."""

import pyarrow as pa
from dagster import AssetCheckResult, AssetCheckSeverity, ResourceParam, asset_check

from assets.partitions import SNAPSHOT_PARTITIONS
from assets.registry.loading import load
from assets.registry.versions import versions
from assets.schemas.registry import DOWNLOADS
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from resources.registry.source import RegistrySource
from resources.warehouse.session import Sessions, view
from resources.warehouse.table_store import TableStore


@table_asset(
    DOWNLOADS,
    group="registry",
    deps=[versions],
    kinds={"sql", "duckdb"},
    partitions=SNAPSHOT_PARTITIONS,
)
def downloads(context: BuildContext, source: RegistrySource) -> pa.RecordBatchReader:
    """Daily downloads: the last 90 days from the dump, earlier days from the archive, each day once."""
    return load(context, source, DOWNLOADS)


@asset_check(asset=downloads, description="No day is missing between the first and the last.")
def no_missing_days(store: ResourceParam[TableStore], sessions: ResourceParam[Sessions]) -> AssetCheckResult:
    """A gap is a missing file of the archive: features over windows with too many gaps are null."""
    with sessions.open() as con:
        view(con, store, DOWNLOADS.name, store.partitions(DOWNLOADS.name)[-1])
        missing = [str(day) for (day,) in con.execute((SQL / "shared" / "missing_days.sql").read_text()).fetchall()]
    return AssetCheckResult(
        passed=not missing,
        severity=AssetCheckSeverity.WARN,
        metadata={"missing_days": len(missing), "first": ", ".join(missing[:5])},
    )
