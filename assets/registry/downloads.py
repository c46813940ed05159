"""The `downloads` table."""

import pyarrow as pa

from assets.registry.loading import load
from assets.registry.versions import versions
from assets.schemas.registry import DOWNLOADS
from assets.table_asset import Inputs, table_asset


@table_asset(DOWNLOADS, group="registry", deps=[versions], kinds={"sql", "duckdb"})
def downloads(inputs: Inputs) -> pa.RecordBatchReader:
    """Daily downloads: the dump's last 90 days, and the archive's days before, each day once."""
    return load(inputs, DOWNLOADS)
