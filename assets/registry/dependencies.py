"""The `dependencies` table."""

import pyarrow as pa

from assets.registry.loading import load
from assets.registry.versions import versions
from assets.schemas.registry import DEPENDENCIES
from assets.table_asset import Inputs, table_asset


@table_asset(DEPENDENCIES, group="registry", deps=[versions], kinds={"sql", "duckdb"})
def dependencies(inputs: Inputs) -> pa.RecordBatchReader:
    """The graph of any past date: published dependencies never change."""
    return load(inputs, DEPENDENCIES)
