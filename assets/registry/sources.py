"""Where facts come from: the left end of the lineage. Nothing here is computed."""

from dagster import AssetSpec

from assets.table_asset import OWNER

REGISTRY_SOURCE = AssetSpec(
    "registry_source",
    group_name="registry",
    kinds={"file"},
    owners=[OWNER],
    description="Crates, versions, dependencies, owners and downloads as the registry gives them: the bundled registry "
    "(CRATES_SOURCE=bundled), or the database dump of crates.io (CRATES_SOURCE=crates.io), kept as it was fetched. Its "
    "bytes are verified before every read.",
)
ADVISORY_SOURCE = AssetSpec(
    "advisory_source",
    group_name="registry",
    kinds={"file"},
    owners=[OWNER],
    description="RustSec advisories: each revision with the time at which it was committed to the database.",
)
