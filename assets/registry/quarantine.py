"""The `quarantine` table."""

import pyarrow as pa
import pyarrow.parquet as pq

from assets.enrichment.texts import texts
from assets.partitions import SNAPSHOT_PARTITIONS
from assets.registry.advisories import advisories
from assets.registry.dependencies import dependencies
from assets.registry.downloads import downloads
from assets.registry.loading import rejects_of
from assets.registry.owners import owners
from assets.registry.yanks import yanks
from assets.schemas.registry import QUARANTINE
from assets.table_asset import table_asset
from assets.table_build import BuildContext
from resources.common.errors import BadInput
from resources.registry.source import REQUIRED_TABLES


@table_asset(
    QUARANTINE,
    group="registry",
    deps=[advisories, dependencies, downloads, owners, texts, yanks],
    kinds={"python"},
    partitions=SNAPSHOT_PARTITIONS,
)
def quarantine(context: BuildContext) -> pa.Table:
    """No row is dropped silently: each rejected row is listed with its file, line and the invalid field."""
    parts = [context.store.require(rejects_of(name).name, context.key) for name in sorted(REQUIRED_TABLES)]
    for name, part in zip(sorted(REQUIRED_TABLES), parts, strict=True):
        if part.origin != context.store.require(name, context.key).origin:
            raise BadInput(f"the last load of {name} {context.key} failed: fix its cause and run load_snapshot again")
    return pa.concat_tables([pq.read_table(part.path) for part in parts])
