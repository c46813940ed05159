"""What every source of registry facts looks like: the rest of the flow cannot tell them apart."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from resources.common.errors import BadInput

# a line for the log
Say = Callable[[str], None]
# progress for a bar: what is fetched, bytes done, bytes in all
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Snapshot:
    """One state of the registry. Times are UTC; `sha256` is one hash for every byte of it.

    `tables` are the registry tables that the source has facts for; of the others it knows nothing.
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
        """The partition key: its date."""
        return self.taken_at.date().isoformat()


@dataclass(frozen=True)
class Newest:
    """What the source could give now: found by a look, before anything is fetched."""

    taken_at: datetime

    @property
    def key(self) -> str:
        return self.taken_at.date().isoformat()


@dataclass(frozen=True)
class Unread:
    """What stands in a file and is no row of it: the line it ends at, from 1, its text, and what is wrong with it."""

    file: str
    line: int
    text: str
    reason: str


class RegistrySource(ABC):
    """Gives registry facts, one snapshot at a time, as DuckDB queries in the columns of the registry tables."""

    @abstractmethod
    def newest(self) -> Newest:
        """Looks at what the source has now; fetches next to nothing. Raises BadInput, SourceUnreachable."""

    @abstractmethod
    def fetch(self, key: str, say: Say, report: Report | None = None) -> Snapshot:
        """Brings a snapshot to this machine, if it is not here yet, and verifies every byte.

        `report` is told of every chunk; without it, `say` is of every tenth of a file.
        Raises BadInput naming the file and the mend; a snapshot is here whole or not at all.
        """

    @abstractmethod
    def require(self, key: str) -> Snapshot:
        """A snapshot that was fetched. Raises BadInput if it is not here."""

    @abstractmethod
    def prune(self) -> list[str]:
        """Removes snapshots by the source's retention; returns their keys."""

    @abstractmethod
    def space(self) -> dict[str, tuple[int, int]]:
        """Per kept snapshot: bytes of its files, and bytes of those that no earlier snapshot has."""

    @abstractmethod
    def attach(self, con: duckdb.DuckDBPyConnection, key: str, table: str) -> str:
        """Makes what the source has for `table` visible in `con` and returns the query for its rows.

        The query gives the columns of the registry table, `source_key` (text that finds the row in its file, where it
        was rejected) and `rejected` (the field and what is wrong with it, or null), in the order of the table's key.
        It may read the registry tables that `NEEDS` names, which the caller makes visible, and the variable
        `snapshot_at`. Every byte it reads is verified first. Raises BadInput.
        """

    @abstractmethod
    def unread(self, con: duckdb.DuckDBPyConnection, key: str, table: str, rows: int) -> list[Unread]:
        """What the query of `attach` passed over on the way to its `rows` rows, all of which were read.

        Raises BadInput if there is more than can be told: no row is lost unseen.
        """

    @abstractmethod
    def locate(self, con: duckdb.DuckDBPyConnection, key: str, table: str, source_keys: list[str]) -> dict[str, int]:
        """The line, counted from 1, at which each rejected row ends in its file; empty for files without lines."""

    @abstractmethod
    def file_of(self, table: str) -> str:
        """The name of the file that a table's rows come from."""


# the registry tables that a table's query refers to
NEEDS: dict[str, tuple[str, ...]] = {
    "crates": (),
    "versions": ("crates",),
    "yanks": ("crates", "versions"),
    "dependencies": ("crates", "versions"),
    "owners": ("crates",),
    "downloads": ("crates", "versions"),
    "advisories": (),
    "texts": ("crates", "versions"),
}


def query_of(folder: Path, table: str) -> str:
    """The text of a source's query for a table."""
    return (folder / f"{table}.sql").read_text()


def not_in_the_future(what: str, at: datetime, now: datetime) -> None:
    """Raises BadInput for a source that is ahead of the clock."""
    if at > now:
        raise BadInput(f"{what} {at} is in the future: check the clock of this machine (it says {now:%Y-%m-%d %H:%M})")
