"""The bundled registry: a folder of Parquet files whose hashes are in a manifest and are verified before use."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from resources.common.errors import BadInput
from resources.registry.columns import COLUMNS
from resources.registry.source import (
    AvailableSnapshot,
    LogLine,
    ProgressCallback,
    RegistrySource,
    Snapshot,
    UnreadableRecord,
    read_query,
    refuse_future,
)
from resources.warehouse.session import view_files

TEXTS = "descriptions.csv"
TABLES = ("crates", "versions", "yanks", "dependencies", "advisories", "texts")
SQL = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class BundledRegistry(RegistrySource):
    """One snapshot of the registry and of the advisories, in `folder` (format: `sample/README.md`)."""

    folder: str

    @property
    def _files(self) -> Path:
        return Path(self.folder) / "registry"

    def manifest(self) -> dict:
        """`snapshot_at`, `advisories_at`, `source`, and the `sha256` of each file. Raises BadInput if it is invalid."""
        path = self._files / "manifest.json"
        try:
            manifest = json.loads(path.read_text())
            datetime.fromisoformat(manifest["snapshot_at"])
            datetime.fromisoformat(manifest["advisories_at"])
            str(manifest["source"])
            for name in (*(f"{table}.parquet" for table in COLUMNS), TEXTS):
                manifest["files"][name]["sha256"]
        except FileNotFoundError as error:
            raise BadInput(f"{path} is missing: {_recovery_hint(path)}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path} is invalid ({error!r}): {_recovery_hint(path)}") from error
        return manifest

    def newest(self) -> AvailableSnapshot:
        return AvailableSnapshot(datetime.fromisoformat(self.manifest()["snapshot_at"]))

    def fetch(self, key: str, log: LogLine, progress: ProgressCallback | None = None) -> Snapshot:
        """Verifies every file; there is nothing to fetch."""
        snapshot = self.require(key)
        for path in self._paths():
            self._verify(path)
        log(f"bundled registry of {snapshot.taken_at}: every file has the expected hash")
        return snapshot

    def require(self, key: str) -> Snapshot:
        manifest = self.manifest()
        snapshot = Snapshot(
            taken_at=datetime.fromisoformat(manifest["snapshot_at"]),
            advisories_read_at=datetime.fromisoformat(manifest["advisories_at"]),
            source=manifest["source"],
            sha256=hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest(),
            tables=TABLES,
            bytes=sum(path.stat().st_size for path in self._paths() if path.exists()),
            bytes_fetched=0,
        )
        if key != snapshot.key:
            raise BadInput(
                f"the registry in {self.folder} is the snapshot of {snapshot.key}, not of {key}: use {snapshot.key}"
            )
        refuse_future(f"{self._files}/manifest.json: snapshot_at", snapshot.taken_at, datetime.now())
        return snapshot

    def prune(self) -> list[str]:
        return []  # its only snapshot is part of the project

    def disk_usage(self) -> dict[str, tuple[int, int]]:
        snapshot = self.require(self.newest().key)
        return {snapshot.key: (snapshot.bytes, snapshot.bytes)}

    def attach(self, con: duckdb.DuckDBPyConnection, key: str, table: str) -> str:
        """Creates the views `source_<name>` of the files that the table's query reads."""
        for name in COLUMNS:
            path = self._files / f"{name}.parquet"
            if name == table or name in _READS.get(table, ()):
                self._verify(path)
                view_files(con, f"source_{name}", [path])
        if table == "texts":
            texts = Path(self.folder) / TEXTS
            self._verify(texts)
            con.read_csv(str(texts), header=True, dtype={"name": "VARCHAR", "description": "VARCHAR"}).create_view(
                "source_texts", replace=True
            )
        return read_query(SQL, table)

    def unreadable_records(
        self, con: duckdb.DuckDBPyConnection, key: str, table: str, rows: int
    ) -> list[UnreadableRecord]:
        return []  # a corrupt Parquet file is not read at all

    def locate(self, con: duckdb.DuckDBPyConnection, key: str, table: str, source_keys: list[str]) -> dict[str, int]:
        return {}  # Parquet has no lines

    def file_name(self, table: str) -> str:
        return TEXTS if table == "texts" else f"{'versions' if table == 'crates' else table}.parquet"

    def _paths(self) -> list[Path]:
        return [*(self._files / f"{name}.parquet" for name in COLUMNS), Path(self.folder) / TEXTS]

    def _verify(self, path: Path) -> None:
        _verify_bytes(path, self.manifest()["files"][path.name])
        if path.stem in COLUMNS:
            _verify_schema(path, COLUMNS[path.stem])


# files that a table's query reads in addition to the one of the same name, or instead of it
_READS = {"crates": ("versions",), "versions": ("yanks",)}


def _verify_bytes(path: Path, expected: dict) -> None:
    if not path.exists():
        raise BadInput(f"{path} is missing: {_recovery_hint(path)}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != expected["sha256"]:
        raise BadInput(
            f"{path} is truncated or corrupt (sha256 {digest[:12]}…, expected {expected['sha256'][:12]}…): "
            f"{_recovery_hint(path)}"
        )


def _verify_schema(path: Path, columns: dict[str, pa.DataType]) -> None:
    found = pq.read_schema(path)
    for name, type_ in columns.items():
        if name not in found.names:
            raise BadInput(f"{path}: column {name} is missing (found {', '.join(found.names)}): {_recovery_hint(path)}")
        if found.field(name).type != type_:
            raise BadInput(
                f"{path}: column {name} is {found.field(name).type}, expected {type_}: {_recovery_hint(path)}"
            )


def _recovery_hint(path: Path) -> str:
    return (
        "restore it (the bundled ones with `git checkout sample`), "
        f"or regenerate {path.parent} with tools/bundled_registry.py"
    )
