"""Fetches the tables of one dump into the snapshot archive, except those that have not changed."""

import gzip
import json
import zlib
from datetime import UTC, datetime
from pathlib import Path

from resources.common.errors import BadInput
from resources.common.files import fsync_and_rename
from resources.crates_io.dump.csv_tables import describe_malformed_line
from resources.crates_io.dump.dump_file import CHUNK_BYTES, DumpFile, LocalDumpFile
from resources.crates_io.dump.layout import CSV_TABLES, check_tables
from resources.crates_io.dump.members import CsvDigest, Member
from resources.crates_io.dump.tar_archive import DumpTar, read_tar_metadata
from resources.crates_io.dump.zip_archive import DumpZip
from resources.registry.snapshot_archive import ArchivedFile, SnapshotArchive, describe_file
from resources.registry.source import ProgressCallback

MAX_METADATA_BYTES = 65_536


def is_tar(source: DumpFile) -> bool:
    """Whether a dump is a tar.gz, by its first bytes."""
    return source.read(0, 2) == b"\x1f\x8b"


def taken_at(source: DumpFile) -> datetime:
    """The start time of the dump (UTC). Raises BadInput."""
    text = read_tar_metadata(source) if is_tar(source) else DumpZip(source).read("metadata.json", MAX_METADATA_BYTES)
    try:
        stamp = json.loads(text)["timestamp"]
        at = datetime.fromisoformat(_to_microseconds(stamp))
        return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BadInput(
            f"{source.name}: metadata.json has no valid timestamp ({error!r}): use a crates.io database dump"
        ) from error


def _to_microseconds(stamp: str) -> str:
    """An ISO time with six digits of a second: Python does not parse nanoseconds."""
    head, dot, rest = stamp.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{head}.{rest[: min(digits, 6)].ljust(6, '0')}{rest[digits:]}" if dot else stamp


def fetch_tables(
    source: DumpFile, archive: SnapshotArchive, stamp: str, progress: ProgressCallback
) -> tuple[dict[str, ArchivedFile], list[str]]:
    """Fetches the used tables into `archive`; returns them and notes on what was not fetched.

    An interrupted fetch of the same file continues: `stamp` distinguishes one tar.gz from the next.
    Raises BadInput, SourceUnreachable.
    """
    if is_tar(source):
        return _from_tar(source, archive, stamp, progress)
    return _from_zip(source, archive, progress)


def _from_zip(
    source: DumpFile, archive: SnapshotArchive, progress: ProgressCallback
) -> tuple[dict[str, ArchivedFile], list[str]]:
    dump = DumpZip(source)
    members = {_table(name): member for name, member in dump.members().items() if _table(name)}
    notes = check_tables(set(members))
    partial = {
        table: archive.partial / f"{_object(table, m.crc32, m.bytes)}.{m.compressed_bytes}"
        for table, m in members.items()
    }
    _remove_others(archive.partial, set(partial.values()))
    known = archive.files_by_content()
    files: dict[str, ArchivedFile] = {}
    for table in CSV_TABLES:
        member = members[table]
        file = known.get((table, member.crc32, member.bytes))
        if file:
            notes.append(f"data/{table}.csv has not changed since an earlier snapshot and is not fetched")
        file = file or _find_complete(archive.objects / _object(table, member.crc32, member.bytes), member)
        if file is None:
            building = archive.partial / f"{_object(table, member.crc32, member.bytes)}.new"
            size = member.compressed_bytes
            digest = dump.extract(
                member.name,
                partial[table],
                building,
                lambda done, table=table, size=size: progress(f"data/{table}.csv", done, size),
            )
            file = _store(building, archive, table, digest)
        files[table] = file
    return files, notes


def _from_tar(
    source: DumpFile, archive: SnapshotArchive, stamp: str, progress: ProgressCallback
) -> tuple[dict[str, ArchivedFile], list[str]]:
    path = source.path if isinstance(source, LocalDumpFile) else archive.partial / f"{stamp}-{source.size}.tar.gz"
    _remove_others(archive.partial, {path})
    if not isinstance(source, LocalDumpFile):
        source.copy(0, source.size, path, lambda done: progress("db-dump.tar.gz", done, source.size))
    building = {f"data/{table}.csv": archive.partial / f"{table}.csv.gz" for table in CSV_TABLES}
    try:
        found = DumpTar(source.name, path).extract(
            building, lambda done: progress("tables of the tar.gz", done, source.size)
        )
    except BadInput:
        if not isinstance(source, LocalDumpFile):
            path.unlink()  # continuing a corrupt download would always fail
        raise
    notes = check_tables({table for name in found if (table := _table(name))})
    known = archive.files_by_content()
    files: dict[str, ArchivedFile] = {}
    for name, built in building.items():
        digest, table = found[name], _table(name)
        # the same content from another compressor would replace the bytes of an earlier snapshot
        files[table] = known.get((table, digest.crc32, digest.size)) or _store(built, archive, table, digest)
    return files, notes


def _remove_others(folder: Path, current: set[Path]) -> None:
    """Removes partial downloads of other files."""
    for path in set(folder.glob("*")) - current:
        path.unlink()


def _find_complete(path: Path, member: Member) -> ArchivedFile | None:
    """The file of an earlier fetch that failed later, if it is complete: no snapshot recorded its hash."""
    if not path.exists():
        return None
    digest = CsvDigest()
    try:
        with gzip.open(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.add(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return None
    is_complete = (digest.crc32, digest.size) == (member.crc32, member.bytes)
    return describe_file(path, digest.crc32, digest.size, digest.records) if is_complete else None


def _store(building: Path, archive: SnapshotArchive, table: str, digest: CsvDigest) -> ArchivedFile:
    """Moves a verified table to the archive's objects. Raises BadInput, with the line, if the CSV is malformed."""
    if not digest.is_well_formed:
        raise BadInput(f"data/{table}.csv, {describe_malformed_line(building)}: use another dump")
    path = archive.objects / _object(table, digest.crc32, digest.size)
    fsync_and_rename(building, path)
    return describe_file(path, digest.crc32, digest.size, digest.records)


def _table(name: str) -> str:
    """`data/crates.csv` → `crates`; an empty text for members that are not tables."""
    path = Path(name)
    return path.stem if path.suffix == ".csv" and path.parent == Path("data") else ""


def _object(table: str, crc32: int, size: int) -> str:
    """The name of a table's file in the archive."""
    return f"{table}-{crc32:08x}-{size}.csv.gz"
