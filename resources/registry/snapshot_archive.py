"""The archive of fetched snapshots, because crates.io overwrites its dump every day.

<folder>/objects/<name>            a file as fetched, shared by all snapshots in which it is the same
<folder>/<date>.json               the list of a snapshot's files: written last, so a snapshot is complete or absent
<folder>/partial/                  incomplete downloads, which the next attempt continues
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from pathlib import Path

from resources.common.errors import BadInput
from resources.common.files import write_atomically, writing


@dataclass(frozen=True)
class ArchivedFile:
    """One file of a snapshot. `crc32` and `bytes` are of its content, `stored_bytes` and `sha256` of the stored file.

    `records` is the number of records of a CSV file, including the header.
    """

    object: str
    crc32: int
    bytes: int
    stored_bytes: int
    sha256: str
    records: int | None = None


@dataclass(frozen=True)
class ArchivedSnapshot:
    """The files of one snapshot, by table. `source_bytes` is the size of the whole dump on the server."""

    taken_at: str
    advisories_read_at: str
    source: str
    source_bytes: int
    fetched_bytes: int
    notes: tuple[str, ...]
    files: dict[str, ArchivedFile]

    @property
    def sha256(self) -> str:
        """The hash of the snapshot's time and of all its files."""
        parts = [self.taken_at, *(f"{name} {file.sha256}" for name, file in sorted(self.files.items()))]
        return sha256("\n".join(parts).encode()).hexdigest()

    @property
    def stored_bytes(self) -> int:
        return sum(file.stored_bytes for file in self.files.values())


@dataclass(frozen=True)
class SnapshotArchive:
    """The snapshots archived in `folder`."""

    folder: Path

    @property
    def objects(self) -> Path:
        return self.folder / "objects"

    @property
    def partial(self) -> Path:
        return self.folder / "partial"

    def keys(self) -> list[str]:
        """The dates of the archived snapshots, in order."""
        return sorted(path.stem for path in self.folder.glob("????-??-??.json"))

    def find(self, key: str) -> ArchivedSnapshot | None:
        """A snapshot, or None if it is absent or a file of it is missing. Raises BadInput."""
        snapshot = self.read_record(key)
        return snapshot if snapshot and all(map(self._is_complete, snapshot.files.values())) else None

    def read_record(self, key: str) -> ArchivedSnapshot | None:
        """A snapshot as it was recorded, without a check of its files. Raises BadInput."""
        path = self.folder / f"{key}.json"
        try:
            record = json.loads(path.read_text())
            files = {name: ArchivedFile(**file) for name, file in record.pop("files").items()}
            return ArchivedSnapshot(**{**record, "notes": tuple(record["notes"])}, files=files)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"{path} is invalid ({error!r}): delete it, then materialize snapshots again") from error

    def _is_complete(self, file: ArchivedFile) -> bool:
        path = self.objects / file.object
        return path.exists() and path.stat().st_size == file.stored_bytes

    def require(self, key: str) -> ArchivedSnapshot:
        """A snapshot. Raises BadInput if it is absent or a file of it is missing."""
        snapshot = self.find(key)
        if snapshot is None:
            available = ", ".join(self.keys()[-5:]) or "none"
            raise BadInput(
                f"snapshot {key} is not in {self.folder} (newest: {available}): materialize snapshots for it first"
            )
        return snapshot

    def verified_path(self, file: ArchivedFile) -> Path:
        """The path of a file, after a check of its hash. Raises BadInput."""
        path = self.objects / file.object
        if not self._is_complete(file) or _sha256(path) != file.sha256:
            raise BadInput(f"{path} is missing, truncated or corrupt: delete it, then materialize snapshots again")
        return path

    def publish(self, key: str, snapshot: ArchivedSnapshot) -> None:
        """Records a snapshot atomically and removes the partial downloads."""
        with writing(self.folder):
            write_atomically(self.folder / f"{key}.json", (json.dumps(asdict(snapshot), indent=2) + "\n").encode())
            for path in self.partial.glob("*"):
                path.unlink()

    def files_by_content(self) -> dict[tuple[str, int, int], ArchivedFile]:
        """Every complete file by table, CRC and size: these need not be fetched again."""
        files = [item for key in self.keys() if (found := self.read_record(key)) for item in found.files.items()]
        return {(name, file.crc32, file.bytes): file for name, file in files if self._is_complete(file)}

    def disk_usage(self) -> dict[str, tuple[int, int]]:
        """Per snapshot: the bytes of its files, and of those that no earlier snapshot shares."""
        shared: set[str] = set()
        usage = {}
        for key in self.keys():
            files = list(snapshot.files.values()) if (snapshot := self.read_record(key)) else []
            own = sum(f.stored_bytes for f in files if f.object not in shared)
            shared |= {f.object for f in files}
            usage[key] = (sum(f.stored_bytes for f in files), own)
        return usage

    def prune(self, newest: int) -> list[str]:
        """Removes all but the `newest` snapshots and the first of each month; returns the removed keys."""
        with self.fetch_lock():  # the files of a running fetch are not in any snapshot yet
            keys = self.keys()
            firsts = {min(k for k in keys if k[:7] == month) for month in {key[:7] for key in keys}}
            removed = [key for key in keys if key not in keys[-newest:] and key not in firsts]
            for key in removed:
                (self.folder / f"{key}.json").unlink()
            retained = [found for key in self.keys() if (found := self.read_record(key))]
            used = {file.object for snapshot in retained for file in snapshot.files.values()}
            for path in self.objects.glob("*"):
                if path.name not in used:
                    path.unlink()
        return removed

    @contextmanager
    def fetch_lock(self) -> Iterator[None]:
        """Processes fetch one after the other: the second finds the files of the first. Raises CannotWrite."""
        with writing(self.folder):
            for folder in (self.objects, self.partial):
                folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield


def describe_file(path: Path, crc32: int, size: int, records: int | None = None) -> ArchivedFile:
    """The record of a stored file. `crc32` and `size` in bytes are of its content."""
    return ArchivedFile(path.name, crc32, size, path.stat().st_size, _sha256(path), records)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
