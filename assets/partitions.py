"""Every partition set of the project, in one place.

`snapshots` are states of the registry; `dates` are as-of dates, which are computed from the earliest snapshot that
can know them; `shards` split the texts that a language model reads.
"""

from dagster import (
    AllPartitionMapping,
    AssetDep,
    AssetsDefinition,
    DynamicPartitionsDefinition,
    StaticPartitionsDefinition,
)

SNAPSHOT_PARTITIONS = DynamicPartitionsDefinition(name="snapshots")
DATE_PARTITIONS = DynamicPartitionsDefinition(name="dates")
# the first digit of the sha256 of a crate's canonical name
SHARD_PARTITIONS = StaticPartitionsDefinition(list("0123456789abcdef"))
LATEST = "latest"  # the partition key of a table that has a single partition

# run tags that make one run of all shards
ALL_SHARDS: dict[str, str] = {
    "dagster/asset_partition_range_start": SHARD_PARTITIONS.get_partition_keys()[0],
    "dagster/asset_partition_range_end": SHARD_PARTITIONS.get_partition_keys()[-1],
}


def all_partitions(table: AssetsDefinition) -> AssetDep:
    """A dependency on every partition of a table: which snapshot a date reads depends on what has been loaded."""
    return AssetDep(table, partition_mapping=AllPartitionMapping())
