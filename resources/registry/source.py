"""The interface of registry sources: the rest of the pipeline does not depend on which one is used."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from resources.common.errors import BadInput

LogLine = Callable[[str], None]
# the name of the file being fetched, bytes done, bytes in total
ProgressCallback = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Snapshot:
    """One fetched state of the registry. Times are UTC; `sha256` covers every byte of it.

    `tables` are the registry tables that the source has data for.
    """

    taken_at: datetime
    advisories_read_at: datetime
    source: str
    sha256: str
    tables: tuple[str, ...]
    bytes: int
    bytes_fetched: int

    @property
    def key(self) -> str:
        """The partition key: the date."""
        return self.taken_at.date().isoformat()


@dataclass(frozen=True)
class AvailableSnapshot:
    """The snapshot that a source offers now, before it is fetched."""

    taken_at: datetime

    @property
    def key(self) -> str:
        return self.taken_at.date().isoformat()


@dataclass(frozen=True)
class UnreadableRecord:
    """A record that is not a valid row: its file, the line where it ends (from 1), its text and the reason."""

    file: str
    line: int
    text: str
    reason: str


class RegistrySource(ABC):
    """Fetches snapshots of the registry and returns, for each registry table, a DuckDB query with its rows."""

    @abstractmethod
    def newest(self) -> AvailableSnapshot:
        """The newest snapshot; reads a few kB at most. Raises BadInput, SourceUnreachable."""

    @abstractmethod
    def fetch(self, key: str, log: LogLine, progress: ProgressCallback | None = None) -> Snapshot:
        """Fetches a snapshot, unless it was fetched before, and verifies every byte.

        `progress` is called for every chunk; without it, `log` is called for every tenth of a file.
        Raises BadInput, SourceUnreachable and CannotWrite; then the snapshot is absent.
        """

    @abstractmethod
    def require(self, key: str) -> Snapshot:
        """A snapshot that was fetched before. Raises BadInput if it was not."""

    @abstractmethod
    def prune(self) -> list[str]:
        """Removes expired snapshots; returns their keys."""

    @abstractmethod
    def disk_usage(self) -> dict[str, tuple[int, int]]:
        """Per retained snapshot: the bytes of its files, and of those that no earlier snapshot shares."""

    @abstractmethod
    def attach(self, con: duckdb.DuckDBPyConnection, key: str, table: str) -> str:
        """Creates the views that a table is read from, after verifying their files; returns the query for its rows.

        The query returns the columns of the registry table, `source_key` (identifies a rejected row in its file) and
        `rejected` (the field and what is wrong with it, or null), sorted by the table's key. It may use the registry
        tables in `REQUIRED_TABLES`, for which the caller creates views, and the variable `snapshot_at`.
        Raises BadInput.
        """

    @abstractmethod
    def unreadable_records(
        self, con: duckdb.DuckDBPyConnection, key: str, table: str, rows: int
    ) -> list[UnreadableRecord]:
        """The records that the query of `attach` skipped while all of its `rows` rows were read.

        Raises BadInput if rows and skipped records do not add up to the records of the file.
        """

    @abstractmethod
    def locate(self, con: duckdb.DuckDBPyConnection, key: str, table: str, source_keys: list[str]) -> dict[str, int]:
        """The line (from 1) of its file where each rejected row ends; empty for files without lines."""

    @abstractmethod
    def file_name(self, table: str) -> str:
        """The name of the file with a table's rows."""


# the registry tables that the query of a table refers to
REQUIRED_TABLES: dict[str, tuple[str, ...]] = {
    "crates": (),
    "versions": ("crates",),
    "yanks": ("crates", "versions"),
    "dependencies": ("crates", "versions"),
    "owners": ("crates",),
    "downloads": ("crates", "versions"),
    "advisories": (),
    "texts": ("crates", "versions"),
}


def read_query(folder: Path, table: str) -> str:
    """A source's query for a table."""
    return (folder / f"{table}.sql").read_text()


def refuse_future(field: str, at: datetime, now: datetime) -> None:
    """Raises BadInput if a source's time is after the local time."""
    if at > now:
        raise BadInput(f"{field} {at} is in the future: check the clock of this machine ({now:%Y-%m-%d %H:%M} UTC)")
