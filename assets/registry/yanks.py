"""The `yanks` table."""

import pyarrow as pa

from assets.registry.loading import load
from assets.registry.versions import versions
from assets.schemas.registry import YANKS
from assets.table_asset import Inputs, table_asset


@table_asset(YANKS, group="registry", deps=[versions], kinds={"sql", "duckdb"})
def yanks(inputs: Inputs) -> pa.RecordBatchReader:
    """A yank exists from its own time, and so does its undoing."""
    return load(inputs, YANKS)
