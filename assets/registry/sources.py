"""The sources of all facts: the left end of the lineage. Nothing is computed here."""

from dagster import AssetSpec

from assets.table_asset import OWNER

REGISTRY_SOURCE = AssetSpec(
    "registry_source",
    group_name="registry",
    kinds={"file"},
    owners=[OWNER],
    description="Crates, versions, dependencies, owners and downloads as the registry publishes them: the bundled "
    "registry (CRATES_SOURCE=bundled) or the database dump of crates.io (CRATES_SOURCE=crates.io), archived as "
    "fetched. Every byte is verified before each read.",
)
ADVISORY_SOURCE = AssetSpec(
    "advisory_source",
    group_name="registry",
    kinds={"file"},
    owners=[OWNER],
    description="RustSec advisories: every revision, with the time of its commit to the advisory database.",
)
