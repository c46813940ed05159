"""The `crates` table."""

import pyarrow as pa

from assets.registry.loading import load
from assets.registry.snapshots import snapshots
from assets.schemas.registry import CRATES
from assets.table_asset import Inputs, table_asset


@table_asset(CRATES, group="registry", deps=[snapshots], kinds={"sql", "duckdb"})
def crates(inputs: Inputs) -> pa.RecordBatchReader:
    """The names that everything else refers to."""
    return load(inputs, CRATES)
