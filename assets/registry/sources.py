"""Where facts come from: the left end of the lineage. Nothing here is computed."""

from dagster import AssetSpec

from assets.table_asset import OWNER

REGISTRY_SOURCE = AssetSpec(
    "registry_source",
    group_name="registry",
    kinds={"file"},
    owners=[OWNER],
    description="Crates, versions, yanks and dependencies as the registry gives them: `sample/`, or the folder that "
    "CRATES_REGISTRY names. Its bytes are verified before every read.",
)
ADVISORY_SOURCE = AssetSpec(
    "advisory_source",
    group_name="registry",
    kinds={"file"},
    owners=[OWNER],
    description="RustSec advisories with the time at which each was committed to the database.",
)
