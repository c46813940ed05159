"""The `advisories` table."""

import pyarrow as pa

from assets.registry.loading import load
from assets.registry.snapshots import snapshots
from assets.registry.sources import ADVISORY_SOURCE
from assets.schemas.registry import ADVISORIES
from assets.table_asset import Inputs, table_asset


@table_asset(ADVISORIES, group="registry", deps=[ADVISORY_SOURCE, snapshots], kinds={"sql", "duckdb"})
def advisories(inputs: Inputs) -> pa.RecordBatchReader:
    """Vulnerabilities and warnings, by the time they became known, which is not the date they carry."""
    return load(inputs, ADVISORIES)
