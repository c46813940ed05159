"""The advisory database among the kept objects: every revision as it was committed, and what could not be read."""

import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from resources.advisories.clone import update_clone
from resources.advisories.git_reader import read_repository
from resources.advisories.schema import Rejected
from resources.common.files import fsync_and_rename, temporary_path
from resources.registry.snapshot_archive import KeptFile, SnapshotArchive, kept_file

REJECTED = pa.schema({"file": pa.string(), "commit": pa.string(), "line": pa.int64(), "reason": pa.string()})


def keep_advisories(archive: SnapshotArchive, url: str) -> dict[str, KeptFile]:
    """Brings the clone up to date and keeps what it says now. Raises BadInput, SourceUnreachable."""
    clone = archive.folder / "advisory-db.git"
    update_clone(url, clone)
    rejected: list[Rejected] = []
    rows = read_repository(clone, rejected, None)
    told = pa.Table.from_pylist([vars(r) for r in rejected], schema=REJECTED)
    return {
        "advisories": _keep(archive, "advisories", rows),
        "advisories_rejected": _keep(archive, "advisories_rejected", told),
    }


def _keep(archive: SnapshotArchive, name: str, rows: pa.Table) -> KeptFile:
    """A table among the objects, under a name of its content."""
    temporary = temporary_path(archive.partial / f"{name}.parquet")
    pq.write_table(rows, temporary, compression="zstd")
    content = temporary.read_bytes()
    crc = zlib.crc32(content)
    path: Path = archive.objects / f"{name}-{crc:08x}-{len(content)}.parquet"
    fsync_and_rename(temporary, path)
    return kept_file(path, crc, len(content))
