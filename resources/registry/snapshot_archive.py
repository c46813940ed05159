"""Snapshots that were fetched, kept: the source overwrites its own.

<folder>/objects/<name>            a file as fetched; one that did not change since is there once
<folder>/<date>.json               what a snapshot is made of: written last, so a snapshot is whole or absent
<folder>/partial/                  what is being fetched: a later try goes on from it
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from pathlib import Path

from resources.common.errors import BadInput, CannotWrite
from resources.common.files import write_atomically


@dataclass(frozen=True)
class KeptFile:
    """One file of a snapshot. `crc32` and `bytes` are of its content, `stored_bytes` and `sha256` of the file kept.

    `records` is the number of records of a CSV file, its header among them.
    """

    object: str
    crc32: int
    bytes: int
    stored_bytes: int
    sha256: str
    records: int | None = None


@dataclass(frozen=True)
class KeptSnapshot:
    """What one snapshot is made of, by table; `source_bytes` is the size of the whole dump on the server."""

    taken_at: str
    advisories_read_at: str
    source: str
    source_bytes: int
    fetched_bytes: int
    notes: tuple[str, ...]
    files: dict[str, KeptFile]

    @property
    def sha256(self) -> str:
        """One hash for every byte that the tables are made of."""
        parts = [self.taken_at, *(f"{name} {file.sha256}" for name, file in sorted(self.files.items()))]
        return sha256("\n".join(parts).encode()).hexdigest()

    @property
    def stored_bytes(self) -> int:
        return sum(file.stored_bytes for file in self.files.values())


@dataclass(frozen=True)
class SnapshotArchive:
    """The kept snapshots under `folder`."""

    folder: Path

    @property
    def objects(self) -> Path:
        return self.folder / "objects"

    @property
    def partial(self) -> Path:
        return self.folder / "partial"

    def keys(self) -> list[str]:
        """The dates of the snapshots that are here, in order."""
        return sorted(path.stem for path in self.folder.glob("????-??-??.json"))

    def find(self, key: str) -> KeptSnapshot | None:
        """A snapshot, or None if it is not here whole. Raises BadInput."""
        kept = self.recorded(key)
        return kept if kept and all(self._is_whole(file) for file in kept.files.values()) else None

    def recorded(self, key: str) -> KeptSnapshot | None:
        """What a snapshot was made of when it was fetched, whole or not by now. Raises BadInput."""
        path = self.folder / f"{key}.json"
        try:
            record = json.loads(path.read_text())
            files = {name: KeptFile(**file) for name, file in record.pop("files").items()}
            return KeptSnapshot(**{**record, "notes": tuple(record["notes"])}, files=files)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"{path} cannot be read ({error!r}): delete it, and materialize snapshots again") from error

    def _is_whole(self, file: KeptFile) -> bool:
        path = self.objects / file.object
        return path.exists() and path.stat().st_size == file.stored_bytes

    def require(self, key: str) -> KeptSnapshot:
        kept = self.find(key)
        if kept is None:
            have = ", ".join(self.keys()[-5:]) or "none"
            raise BadInput(
                f"snapshot {key} is not in {self.folder} (newest: {have}): materialize snapshots for it first"
            )
        return kept

    def verified(self, file: KeptFile) -> Path:
        """The path of a file, once its bytes were found as they were fetched. Raises BadInput."""
        path = self.objects / file.object
        if not self._is_whole(file) or _sha256(path) != file.sha256:
            raise BadInput(f"{path} is missing, cut or corrupt: delete it, and materialize snapshots again to fetch it")
        return path

    def publish(self, key: str, kept: KeptSnapshot) -> None:
        """Makes a snapshot visible, whole, in one rename."""
        with writing(self.folder):
            write_atomically(self.folder / f"{key}.json", (json.dumps(asdict(kept), indent=2) + "\n").encode())
            for left in self.partial.glob("*"):
                left.unlink()

    def known_files(self) -> dict[tuple[str, int, int], KeptFile]:
        """Every file that is here whole, by table, CRC and size: what need not be fetched again."""
        files = [item for key in self.keys() if (kept := self.recorded(key)) for item in kept.files.items()]
        return {(name, file.crc32, file.bytes): file for name, file in files if self._is_whole(file)}

    def space(self) -> dict[str, tuple[int, int]]:
        """Per snapshot: bytes of its files, and of those that no earlier snapshot has."""
        seen: set[str] = set()
        found = {}
        for key in self.keys():
            files = [] if (kept := self.recorded(key)) is None else list(kept.files.values())
            own = sum(f.stored_bytes for f in files if f.object not in seen)
            seen |= {f.object for f in files}
            found[key] = (sum(f.stored_bytes for f in files), own)
        return found

    def prune(self, keep: int) -> list[str]:
        """Removes all but the newest `keep` snapshots and the first of each month; returns the keys removed."""
        with self.only_fetcher():  # what is being fetched is no snapshot's yet
            keys = self.keys()
            firsts = {min(k for k in keys if k[:7] == month) for month in {key[:7] for key in keys}}
            removed = [key for key in keys if key not in keys[-keep:] and key not in firsts]
            for key in removed:
                (self.folder / f"{key}.json").unlink()
            kept = [found for key in self.keys() if (found := self.recorded(key))]
            needed = {file.object for snapshot in kept for file in snapshot.files.values()}
            for path in self.objects.glob("*"):
                if path.name not in needed:
                    path.unlink()
        return removed

    @contextmanager
    def only_fetcher(self) -> Iterator[None]:
        """Two processes fetch one after the other: the second finds what the first brought. Raises CannotWrite."""
        with writing(self.folder):
            for folder in (self.objects, self.partial):
                folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield


def kept_file(path: Path, crc32: int, size: int, records: int | None = None) -> KeptFile:
    """The record of a file that lies among the objects."""
    return KeptFile(path.name, crc32, size, path.stat().st_size, _sha256(path), records)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raises CannotWrite, naming the folder and the mend, where the disk refuses."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise CannotWrite(
            f"cannot write {folder}: {error.strerror or error}. Free space there, or set CRATES_DATA to a folder that "
            "can be written; the snapshots that were there are as they were"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
