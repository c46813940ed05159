"""Brings the tables of one dump among the kept objects: those that did not change are there already."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from resources.errors import BadInput
from resources.sources.dump_layout import CSV_TABLES, judge_tables
from resources.sources.dump_tar import DumpTar, metadata_of_tar
from resources.sources.dump_zip import DumpZip
from resources.sources.file_bytes import FileBytes, LocalBytes
from resources.sources.snapshot_archive import KeptFile, SnapshotArchive, kept_file

# what is fetched, bytes done, bytes in all
Report = Callable[[str, int, int], None]
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
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{source.name}: metadata.json has no timestamp that can be read ({error!r}): is it a dump?"
        ) from error
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at


def _micros(stamp: str) -> str:
    head, dot, rest = stamp.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{head}.{rest[: min(digits, 6)].ljust(6, '0')}{rest[digits:]}" if dot else stamp


def fetch_tables(
    source: FileBytes, archive: SnapshotArchive, stamp: str, report: Report
) -> tuple[dict[str, KeptFile], list[str]]:
    """Every needed table among the objects of `archive`, and words on what was passed over.

    `stamp` tells one dump from the next: a fetch that was cut goes on only with the bytes of the same dump.
    """
    for left in archive.partial.glob("*"):
        if not left.name.startswith(stamp):
            left.unlink()
    if is_tar(source):
        return _from_tar(source, archive, stamp, report)
    return _from_zip(source, archive, stamp, report)


def _from_zip(
    source: FileBytes, archive: SnapshotArchive, stamp: str, report: Report
) -> tuple[dict[str, KeptFile], list[str]]:
    dump = DumpZip(source)
    members = {_table(name): member for name, member in dump.members().items() if _table(name)}
    notes = judge_tables(set(members))
    known = archive.known_files()
    files: dict[str, KeptFile] = {}
    for table in CSV_TABLES:
        member = members[table]
        kept = known.get((table, member.crc32, member.bytes))
        if kept is None:
            path = archive.objects / _object(table, member.crc32, member.bytes)
            building = archive.partial / f"{stamp}-{table}.gz"
            size = member.compressed_bytes
            dump.take(
                member.name,
                archive.partial / f"{stamp}-{table}",
                building,
                lambda done, table=table, size=size: report(f"data/{table}.csv", done, size),
            )
            building.replace(path)
            kept = kept_file(path, member.crc32, member.bytes)
        else:
            notes.append(f"data/{table}.csv did not change since an earlier snapshot and is not fetched")
        files[table] = kept
    return files, notes


def _from_tar(
    source: FileBytes, archive: SnapshotArchive, stamp: str, report: Report
) -> tuple[dict[str, KeptFile], list[str]]:
    path = source.path if isinstance(source, LocalBytes) else archive.partial / f"{stamp}-dump.tar.gz"
    if not isinstance(source, LocalBytes):
        source.copy(0, source.size, path, lambda done: report("db-dump.tar.gz", done, source.size))
    building = {f"data/{table}.csv": archive.partial / f"{stamp}-{table}.gz" for table in CSV_TABLES}
    members = DumpTar(source.name, path).take(building, lambda done: report("tables of the tar.gz", done, source.size))
    notes = judge_tables({table for name in members if (table := _table(name))})
    files: dict[str, KeptFile] = {}
    for name, built in building.items():
        member, table = members[name], _table(name)
        final = archive.objects / _object(table, member.crc32, member.bytes)
        built.replace(final)
        files[table] = kept_file(final, member.crc32, member.bytes)
    if not isinstance(source, LocalBytes):
        path.unlink()
    return files, notes


def _table(name: str) -> str:
    """`data/crates.csv` → `crates`; other members are no tables."""
    path = Path(name)
    return path.stem if path.suffix == ".csv" and path.parent == Path("data") else ""


def _object(table: str, crc32: int, size: int) -> str:
    return f"{table}-{crc32:08x}-{size}.csv.gz"
