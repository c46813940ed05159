"""The `texts` table."""

import pyarrow as pa

from assets.registry.crates import crates
from assets.registry.loading import load
from assets.registry.versions import versions
from assets.schemas.registry import TEXTS
from assets.table_asset import Inputs, table_asset


@table_asset(TEXTS, group="enrichment", deps=[crates, versions], kinds={"sql", "duckdb"})
def texts(inputs: Inputs) -> pa.RecordBatchReader:
    """What the language model reads."""
    return load(inputs, TEXTS)
