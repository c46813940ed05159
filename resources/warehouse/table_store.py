"""The warehouse: Parquet tables with one folder per partition, published atomically.

    <root>/<table>/<partition>=<key>/<first 16 digits of the sha256>.parquet
    <root>/<table>/<partition>=<key>/current.json        the name of the current file

A file is written under a temporary name. Replacing `current.json` in one rename publishes it. The previous file is
retained for its readers until the next publication. The same rows give the same bytes.
"""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resources.common.errors import BadInput, CannotWrite
from resources.common.files import fsync_and_rename, remove_leftovers, temporary_path, write_atomically

if TYPE_CHECKING:  # PyArrow is imported by writers only: it takes a third of a look-up's time
    from resources.warehouse.parquet import Rows
    from resources.warehouse.schema import Table

CURRENT, LOCK = "current.json", "lock"


@dataclass(frozen=True)
class PublishedPartition:
    """The current file of one partition of a table."""

    table: str
    partition: str
    key: str
    path: Path
    rows: int
    bytes: int
    sha256: str
    origin: str | None = None  # hash of the registry snapshot that the rows come from, if there is one
    previous: str | None = None  # name of the file before, retained for its readers


def table_tag(table: str) -> str:
    """The cache tag of values computed from a table: publishing one of its partitions invalidates them."""
    return f"table:{table}"


@dataclass(frozen=True)
class TableStore:
    """Publishes tables in the local folder `root` and finds the current partitions."""

    root: str

    def _folder(self, table: str, partition: str, key: str) -> Path:
        return Path(self.root) / table / f"{partition}={key}"

    @contextmanager
    def candidate(self, table: "Table", key: str, rows: "Rows") -> Iterator["Candidate"]:
        """Writes `rows`, which must have the table's columns, to a temporary file that the caller may publish.

        The rows of a reader are streamed. Raises BadInput if the schema differs, CannotWrite if the disk is full or
        read-only; then the partition is unchanged. A candidate that was not published is removed at the end.
        """
        from resources.warehouse.parquet import write_parquet

        folder = self._folder(table.name, table.partition, key)
        with _writing(folder) as temporary:
            count = write_parquet(table, rows, temporary)
            yield Candidate(self, table, key, temporary, count)

    def publish(self, table: "Table", key: str, rows: "Rows", origin: str | None = None) -> PublishedPartition:
        """Replaces one partition of `table` with `rows`. Raises like `candidate`."""
        with self.candidate(table, key, rows) as candidate:
            return candidate.publish(origin)

    def drop(self, table: str, key: str) -> int:
        """Removes a partition, `current.json` first; returns the number of bytes freed."""
        found = self.find(table, key)
        if found is None:
            return 0
        folder = found.path.parent
        (folder / CURRENT).unlink()
        shutil.rmtree(folder, ignore_errors=True)
        return found.bytes

    def find(self, table: str, key: str) -> PublishedPartition | None:
        """The current file of a partition, or None if it was never published."""
        for pointer in (Path(self.root) / table).glob(f"*={key}/{CURRENT}"):
            record = json.loads(pointer.read_text())
            return PublishedPartition(**{**record, "path": pointer.parent / record["path"]})
        return None

    def require(self, table: str, key: str) -> PublishedPartition:
        """The current file of a partition. Raises BadInput if there is none, or if it is missing or truncated."""
        found = self.find(table, key)
        if found is None:
            available = ", ".join(self.partitions(table)[-5:]) or "none"
            raise BadInput(
                f"table {table} has no partition {key} (newest: {available}): materialize {table} for {key} first"
            )
        if not found.path.exists() or found.path.stat().st_size != found.bytes:
            raise BadInput(f"{found.path} is missing or truncated: materialize {table} for {key} again")
        return found

    def partitions(self, table: str) -> list[str]:
        """The published partition keys of a table, in order."""
        return sorted(p.parent.name.split("=", 1)[1] for p in (Path(self.root) / table).glob(f"*/{CURRENT}"))

    def tables(self) -> dict[str, list[PublishedPartition]]:
        """Every published table with its partitions, in order."""
        names = sorted(p.name for p in Path(self.root).glob("*") if p.is_dir())
        found = {name: [self.require(name, key) for key in self.partitions(name)] for name in names}
        return {name: partitions for name, partitions in found.items() if partitions}


@dataclass(frozen=True)
class Candidate:
    """Rows that are written but not published: contracts are checked on the file `path`."""

    store: TableStore
    table: "Table"
    key: str
    path: Path
    rows: int

    def publish(self, origin: str | None = None) -> PublishedPartition:
        """Makes this file the current one. `origin` is the hash of the source of its rows."""
        folder = self.path.parent
        with _only_writer(folder):
            with self.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            path = folder / f"{digest[:16]}.parquet"
            fsync_and_rename(self.path, path)
            before = self.store.find(self.table.name, self.key)
            published = PublishedPartition(
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
            record = json.dumps({**asdict(published), "path": path.name}, indent=2) + "\n"
            write_atomically(folder / CURRENT, record.encode())
            _remove_old_files(folder, current={path.name, published.previous})
        return published


@contextmanager
def _writing(folder: Path) -> Iterator[Path]:
    """A temporary file in `folder`, removed at the end unless it was renamed. Raises CannotWrite."""
    temporary = temporary_path(folder / "rows.parquet")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield temporary
    except OSError as error:
        raise CannotWrite(
            f"cannot write {folder}: {error.strerror or error}. Free space there, or set CRATES_DATA to a folder "
            "that can be written; the table is unchanged"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Two runs that publish the same partition take turns."""
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_old_files(folder: Path, current: set[str | None]) -> None:
    """Removes older files of a partition and the temporary files of killed runs."""
    for path in folder.glob("[!.]*.parquet"):
        if path.name not in current:
            path.unlink(missing_ok=True)
    remove_leftovers(folder)
