"""The published tables of an installation, by their bytes."""

import hashlib
from pathlib import Path

from resources.warehouse.table_store import TableStore

State = dict[str, str]  # table and partition to the sha256 of its bytes


def published(data: Path) -> State:
    """Every published partition, after a check that its bytes are complete."""
    found = {}
    for table, partitions in TableStore(root=str(data / "warehouse")).tables().items():
        for partition in partitions:
            digest = hashlib.sha256(partition.path.read_bytes()).hexdigest()
            assert digest == partition.sha256, f"{partition.path} is not what was published"
            found[f"{table}/{partition.key}"] = digest
    return found
