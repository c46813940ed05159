"""The warehouse: Parquet tables, one folder a partition, each published whole or not at all.

    <root>/<table>/<partition>=<key>/<first 16 digits of the sha256>.parquet
    <root>/<table>/<partition>=<key>/current.json        which of the files is the table

A file is written under a temporary name, then `current.json` is replaced in one rename: that is the moment of
publication. The file before it is kept once more, for readers that opened it. The same rows give the same bytes.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from resources.common.errors import BadInput, CannotWrite
from resources.common.files import settle
from resources.common.processes import is_alive
from resources.warehouse.schema import Table

ROW_GROUP = 122_880  # DuckDB's own row group, so that its scans split evenly
CURRENT, LOCK = "current.json", "lock"

Rows: TypeAlias = "pa.Table | pa.RecordBatchReader"


@dataclass(frozen=True)
class Published:
    """What one partition of a table holds."""

    table: str
    partition: str
    key: str
    path: Path
    rows: int
    bytes: int
    sha256: str
    origin: str | None = None  # hash of the source it was loaded from, if it was
    previous: str | None = None  # file name of the one before, kept for its readers


def tag_of(table: str) -> str:
    """What is cached of a table's rows has this tag: it is invalid once a partition of it was published."""
    return f"table:{table}"


@dataclass(frozen=True)
class TableStore:
    """Publishes tables under `root` and finds what is current."""

    root: str

    def _folder(self, table: str, partition: str, key: str) -> Path:
        return Path(self.root) / table / f"{partition}={key}"

    @contextmanager
    def candidate(self, table: Table, key: str, rows: Rows) -> Iterator["Candidate"]:
        """Writes `rows`, which must have the table's columns, where nobody sees them until they are published.

        Rows given as a reader are never held whole. Raises BadInput if the schema differs, CannotWrite if the disk
        refuses; the partition is then as before. What is not published is gone at the end.
        """
        folder = self._folder(table.name, table.partition, key)
        with _writing(folder) as temporary:
            count = write_parquet(table, rows, temporary)
            yield Candidate(self, table, key, temporary, count)

    def publish(self, table: Table, key: str, rows: Rows, origin: str | None = None) -> Published:
        """Replaces one partition of `table` by `rows`. Raises as `candidate` does."""
        with self.candidate(table, key, rows) as candidate:
            return candidate.publish(origin)

    def drop(self, table: str, key: str) -> int:
        """Removes a partition, the pointer first; returns the bytes freed."""
        found = self.find(table, key)
        if found is None:
            return 0
        folder = found.path.parent
        (folder / CURRENT).unlink()
        shutil.rmtree(folder, ignore_errors=True)
        return found.bytes

    def find(self, table: str, key: str) -> Published | None:
        """The current file of a partition, or None if it was never published."""
        for pointer in (Path(self.root) / table).glob(f"*={key}/{CURRENT}"):
            record = json.loads(pointer.read_text())
            return Published(**{**record, "path": pointer.parent / record["path"]})
        return None

    def need(self, table: str, key: str) -> Published:
        """The current file of a partition. Raises BadInput if there is none, or if it is not whole."""
        found = self.find(table, key)
        if found is None:
            have = ", ".join(self.partitions(table)[-5:]) or "none"
            raise BadInput(
                f"table {table} has no partition {key} (newest: {have}): materialize {table} for {key} first"
            )
        if not found.path.exists() or found.path.stat().st_size != found.bytes:
            raise BadInput(f"{found.path} is missing or was cut: materialize {table} for {key} again")
        return found

    def partitions(self, table: str) -> list[str]:
        """The published partition keys of a table, in order."""
        return sorted(p.parent.name.split("=", 1)[1] for p in (Path(self.root) / table).glob(f"*/{CURRENT}"))

    def tables(self) -> dict[str, list[Published]]:
        """Every published table with its partitions, in order."""
        names = sorted(p.name for p in Path(self.root).glob("*") if p.is_dir())
        found = {name: [self.need(name, key) for key in self.partitions(name)] for name in names}
        return {name: partitions for name, partitions in found.items() if partitions}


@dataclass(frozen=True)
class Candidate:
    """Rows written but not yet seen by anybody: `path` is what contracts are judged on."""

    store: TableStore
    table: Table
    key: str
    path: Path
    rows: int

    def publish(self, origin: str | None = None) -> Published:
        """Makes the rows the partition. `origin` is the hash of the source they come from."""
        folder = self.path.parent
        with _only_writer(folder):
            with self.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            path = folder / f"{digest[:16]}.parquet"
            settle(self.path, path)
            before = self.store.find(self.table.name, self.key)
            published = Published(
                table=self.table.name,
                partition=self.table.partition,
                key=self.key,
                path=path,
                rows=self.rows,
                bytes=path.stat().st_size,
                sha256=digest,
                origin=origin,
                previous=before and (before.path.name if before.path != path else before.previous),
            )
            pointer = folder / f".{os.getpid()}.json"
            pointer.write_text(json.dumps({**asdict(published), "path": path.name}, indent=2) + "\n")
            settle(pointer, folder / CURRENT)
            _sweep(folder, keep={path.name, published.previous})
        return published


def write_parquet(table: Table, rows: Rows, path: Path) -> int:
    """Streams rows into a Parquet file in the table's types; returns their number. Raises BadInput.

    Row groups have the same size however the rows arrive, so that the same rows give the same bytes.
    """
    wanted, found = table.arrow, rows.schema
    if wanted.names != found.names:
        missing = [n for n in wanted.names if n not in found.names]
        unknown = [n for n in found.names if n not in wanted.names]
        raise BadInput(
            f"table {table.name}: columns missing {missing}, unknown {unknown}, or not in the declared order"
        )
    # whether a column may be null is a contract, judged on what was written
    wanted = pa.schema([field.with_nullable(True) for field in wanted])
    count = 0
    try:
        with pq.ParquetWriter(path, wanted, compression="zstd", write_statistics=True) as writer:
            for group in _groups(rows):
                writer.write_table(group.cast(wanted).combine_chunks(), row_group_size=ROW_GROUP)
                count += group.num_rows
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise BadInput(f"table {table.name}: does not fit its declared schema: {error}") from error
    return count


def _groups(rows: Rows) -> Iterator[pa.Table]:
    """The rows in tables of ROW_GROUP rows, the last one smaller."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in _batches(rows):
        held.append(batch)
        size += batch.num_rows
        while size >= ROW_GROUP:
            together = pa.Table.from_batches(held)
            yield together.slice(0, ROW_GROUP)
            held = together.slice(ROW_GROUP).to_batches()
            size -= ROW_GROUP
    if size:
        yield pa.Table.from_batches(held)


def _batches(rows: Rows) -> Iterator[pa.RecordBatch]:
    """The rows as they come. What DuckDB raises on the way comes through Arrow as OSError: as if the disk were full."""
    try:
        yield from rows.to_batches() if isinstance(rows, pa.Table) else rows
    except OSError as error:
        told = {"Out of Memory Error": duckdb.OutOfMemoryException, "IO Error": duckdb.IOException}
        raise told.get(str(error).partition(":")[0], BadInput)(str(error)) from error


@contextmanager
def _writing(folder: Path) -> Iterator[Path]:
    """A temporary file in `folder`; nothing of it stays if the body fails."""
    temporary = folder / f".{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield temporary
    except OSError as error:
        raise CannotWrite(
            f"cannot write {folder}: {error.strerror or error}. Free space there, or set CRATES_DATA to a folder "
            "that can be written; the table is as it was before"
        ) from error
    finally:
        for leftover in folder.glob(f".{os.getpid()}.*"):
            leftover.unlink(missing_ok=True)


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Two runs may publish the same partition: one after the other."""
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep(folder: Path, keep: set[str | None]) -> None:
    """Removes older files of a partition, and what killed runs left behind."""
    for path in folder.glob("*.parquet"):
        if path.name not in keep:
            path.unlink(missing_ok=True)
    for path in folder.glob(".*.*"):
        pid = path.name.split(".")[1]
        if pid.isdigit() and not is_alive(int(pid)):
            path.unlink(missing_ok=True)
