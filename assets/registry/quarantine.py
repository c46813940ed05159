"""The `quarantine` table."""

import pyarrow as pa
import pyarrow.parquet as pq

from assets.enrichment.texts import texts
from assets.registry.advisories import advisories
from assets.registry.dependencies import dependencies
from assets.registry.downloads import downloads
from assets.registry.loading import rejects_of
from assets.registry.owners import owners
from assets.registry.yanks import yanks
from assets.schemas.registry import QUARANTINE
from assets.table_asset import Inputs, table_asset
from resources.common.errors import BadInput
from resources.registry.source import NEEDS


@table_asset(
    QUARANTINE,
    group="registry",
    deps=[advisories, dependencies, downloads, owners, texts, yanks],
    kinds={"python"},
)
def quarantine(inputs: Inputs) -> pa.Table:
    """Nothing is dropped unseen: each row names its file, its line, and the field that is wrong."""
    parts = [inputs.store.need(rejects_of(name).name, inputs.key) for name in sorted(NEEDS)]
    for name, part in zip(sorted(NEEDS), parts, strict=True):
        if part.origin != inputs.store.need(name, inputs.key).origin:
            raise BadInput(f"{name} {inputs.key} was refused when it was loaded last: mend that, and load it again")
    return pa.concat_tables([pq.read_table(part.path) for part in parts])
