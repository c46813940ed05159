"""The `owners` table."""

import pyarrow as pa

from assets.registry.crates import crates
from assets.registry.loading import load
from assets.schemas.registry import OWNERS
from assets.table_asset import Inputs, table_asset


@table_asset(OWNERS, group="registry", deps=[crates], kinds={"sql", "duckdb"})
def owners(inputs: Inputs) -> pa.RecordBatchReader:
    """Who may publish. The source forgets who was removed, so past owners are a lower bound."""
    return load(inputs, OWNERS)
