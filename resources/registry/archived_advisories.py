"""The advisory database in the snapshot archive: every committed revision, and the files that cannot be read."""

import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from resources.advisories.clone import update_clone
from resources.advisories.git_reader import read_repository
from resources.advisories.schema import Rejected
from resources.common.files import fsync_and_rename, temporary_path
from resources.registry.snapshot_archive import ArchivedFile, SnapshotArchive, describe_file

REJECTED = pa.schema({"file": pa.string(), "commit": pa.string(), "line": pa.int64(), "reason": pa.string()})


def archive_advisories(archive: SnapshotArchive, url: str) -> dict[str, ArchivedFile]:
    """Updates the clone and archives its revisions. Raises BadInput, SourceUnreachable."""
    clone = archive.folder / "advisory-db.git"
    update_clone(url, clone)
    rejected: list[Rejected] = []
    rows = read_repository(clone, rejected, None)
    rejected_rows = pa.Table.from_pylist([vars(r) for r in rejected], schema=REJECTED)
    return {
        "advisories": _archive(archive, "advisories", rows),
        "advisories_rejected": _archive(archive, "advisories_rejected", rejected_rows),
    }


def _archive(archive: SnapshotArchive, name: str, rows: pa.Table) -> ArchivedFile:
    """Writes a table to the archive; its file name has the CRC and size of its content."""
    temporary = temporary_path(archive.partial / f"{name}.parquet")
    pq.write_table(rows, temporary, compression="zstd")
    content = temporary.read_bytes()
    crc = zlib.crc32(content)
    path: Path = archive.objects / f"{name}-{crc:08x}-{len(content)}.parquet"
    fsync_and_rename(temporary, path)
    return describe_file(path, crc, len(content))
