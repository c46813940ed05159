"""The `versions` table."""

import pyarrow as pa

from assets.registry.crates import crates
from assets.registry.loading import load
from assets.schemas.registry import VERSIONS
from assets.table_asset import Inputs, table_asset


@table_asset(VERSIONS, group="registry", deps=[crates], kinds={"sql", "duckdb"})
def versions(inputs: Inputs) -> pa.RecordBatchReader:
    """What existed when: the base of every point in time."""
    return load(inputs, VERSIONS)
