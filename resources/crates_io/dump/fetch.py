"""Brings the tables of one dump among the kept objects: those that did not change are there already."""

import gzip
import json
import zlib
from datetime import UTC, datetime
from pathlib import Path

from resources.common.errors import BadInput
from resources.common.files import fsync_and_rename
from resources.crates_io.dump.csv_tables import odd_line
from resources.crates_io.dump.file_bytes import FileBytes, LocalBytes
from resources.crates_io.dump.layout import CSV_TABLES, judge_tables
from resources.crates_io.dump.members import CHUNK, Content, Member
from resources.crates_io.dump.tar_archive import DumpTar, metadata_of_tar
from resources.crates_io.dump.zip_archive import DumpZip
from resources.registry.snapshot_archive import KeptFile, SnapshotArchive, kept_file
from resources.registry.source import Report

METADATA_BYTES = 65_536


def is_tar(source: FileBytes) -> bool:
    return source.read(0, 2) == b"\x1f\x8b"


def taken_at(source: FileBytes) -> datetime:
    """When the dump was started (UTC): its as-of time. Raises BadInput."""
    text = metadata_of_tar(source) if is_tar(source) else DumpZip(source).read("metadata.json", METADATA_BYTES)
    try:
        stamp = json.loads(text)["timestamp"]
        # nanoseconds are more than Python reads
        at = datetime.fromisoformat(_micros(stamp))
        return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BadInput(
            f"{source.name}: metadata.json has no timestamp that can be read ({error!r}): is it a dump?"
        ) from error


def _micros(stamp: str) -> str:
    head, dot, rest = stamp.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{head}.{rest[: min(digits, 6)].ljust(6, '0')}{rest[digits:]}" if dot else stamp


def fetch_tables(
    source: FileBytes, archive: SnapshotArchive, stamp: str, report: Report
) -> tuple[dict[str, KeptFile], list[str]]:
    """Every needed table among the objects of `archive`, and words on what was passed over.

    A fetch that was cut goes on with what it left, if that is of the same file: `stamp` tells one tar.gz from the next.
    Raises BadInput, SourceUnreachable.
    """
    if is_tar(source):
        return _from_tar(source, archive, stamp, report)
    return _from_zip(source, archive, report)


def _from_zip(source: FileBytes, archive: SnapshotArchive, report: Report) -> tuple[dict[str, KeptFile], list[str]]:
    dump = DumpZip(source)
    members = {_table(name): member for name, member in dump.members().items() if _table(name)}
    notes = judge_tables(set(members))
    partial = {
        table: archive.partial / f"{_object(table, m.crc32, m.bytes)}.{m.compressed_bytes}"
        for table, m in members.items()
    }
    _clear(archive.partial, keep=set(partial.values()))
    known = archive.known_files()
    files: dict[str, KeptFile] = {}
    for table in CSV_TABLES:
        member = members[table]
        kept = known.get((table, member.crc32, member.bytes))
        if kept:
            notes.append(f"data/{table}.csv did not change since an earlier snapshot and is not fetched")
        kept = kept or _left_whole(archive.objects / _object(table, member.crc32, member.bytes), member)
        if kept is None:
            building = archive.partial / f"{_object(table, member.crc32, member.bytes)}.new"
            size = member.compressed_bytes
            content = dump.take(
                member.name,
                partial[table],
                building,
                lambda done, table=table, size=size: report(f"data/{table}.csv", done, size),
            )
            kept = _put(building, archive, table, content)
        files[table] = kept
    return files, notes


def _from_tar(
    source: FileBytes, archive: SnapshotArchive, stamp: str, report: Report
) -> tuple[dict[str, KeptFile], list[str]]:
    path = source.path if isinstance(source, LocalBytes) else archive.partial / f"{stamp}-{source.size}.tar.gz"
    _clear(archive.partial, keep={path})
    if not isinstance(source, LocalBytes):
        source.copy(0, source.size, path, lambda done: report("db-dump.tar.gz", done, source.size))
    building = {f"data/{table}.csv": archive.partial / f"{table}.csv.gz" for table in CSV_TABLES}
    try:
        found = DumpTar(source.name, path).take(
            building, lambda done: report("tables of the tar.gz", done, source.size)
        )
    except BadInput:
        if not isinstance(source, LocalBytes):
            path.unlink()  # going on from corrupt bytes would never end
        raise
    notes = judge_tables({table for name in found if (table := _table(name))})
    known = archive.known_files()
    files: dict[str, KeptFile] = {}
    for name, built in building.items():
        content, table = found[name], _table(name)
        kept = known.get((table, content.crc32, content.size))
        # the same content, compressed by another, would not be the bytes that the earlier snapshot has
        files[table] = kept or _put(built, archive, table, content)
    return files, notes


def _clear(folder: Path, keep: set[Path]) -> None:
    """Removes what fetches of other files left."""
    for left in set(folder.glob("*")) - keep:
        left.unlink()


def _left_whole(path: Path, member: Member) -> KeptFile | None:
    """An object left by a fetch that came to nothing: read through, since no snapshot vouches for it."""
    if not path.exists():
        return None
    content = Content()
    try:
        with gzip.open(path) as file:
            while chunk := file.read(CHUNK):
                content.add(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return None
    whole = (content.crc32, content.size) == (member.crc32, member.bytes)
    return kept_file(path, content.crc32, content.size, content.records) if whole else None


def _put(building: Path, archive: SnapshotArchive, table: str, content: Content) -> KeptFile:
    """Puts a verified table among the objects. Raises BadInput, naming the line, if it is not what psql writes."""
    if not content.is_regular:
        raise BadInput(f"data/{table}.csv, {odd_line(building)}: psql writes no such file; take another dump")
    path = archive.objects / _object(table, content.crc32, content.size)
    fsync_and_rename(building, path)
    return kept_file(path, content.crc32, content.size, content.records)


def _table(name: str) -> str:
    """`data/crates.csv` → `crates`; other members are no tables."""
    path = Path(name)
    return path.stem if path.suffix == ".csv" and path.parent == Path("data") else ""


def _object(table: str, crc32: int, size: int) -> str:
    return f"{table}-{crc32:08x}-{size}.csv.gz"
