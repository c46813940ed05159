"""The bundled registry: a folder of Parquet files and a manifest, read only after its bytes are verified."""

import hashlib
import json
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from dagster import ConfigurableResource

from resources.errors import BadInput
from resources.session import view_files

TEXTS = "descriptions.csv"
COLUMNS = {
    "versions": {
        "name": pa.string(),
        "num": pa.string(),
        "position": pa.int32(),
        "published_at": pa.timestamp("us"),
        "published_after": pa.timestamp("us"),
        "published_at_exact": pa.bool_(),
        "feature_names": pa.list_(pa.string()),
        "links": pa.string(),
    },
    "yanks": {
        "name": pa.string(),
        "num": pa.string(),
        "yanked_at": pa.timestamp("us"),
        "yanked_at_exact": pa.bool_(),
        "unyanked_at": pa.timestamp("us"),
    },
    "dependencies": {
        "name": pa.string(),
        "num": pa.string(),
        "dependency": pa.string(),
        "req": pa.string(),
        "kind": pa.string(),
        "optional": pa.bool_(),
        "default_features": pa.bool_(),
        "target": pa.string(),
        "explicit_name": pa.string(),
    },
    "advisories": {
        "id": pa.string(),
        "package": pa.string(),
        "date": pa.date32(),
        "known_at": pa.timestamp("us"),
        "informational": pa.string(),
        "cvss": pa.string(),
        "categories": pa.list_(pa.string()),
        "aliases": pa.list_(pa.string()),
        "patched": pa.list_(pa.string()),
        "unaffected": pa.list_(pa.string()),
        "withdrawn": pa.date32(),
    },
}


class RegistrySource(ConfigurableResource):
    """One snapshot of the registry and the advisories, in `folder` (format: `sample/README.md`)."""

    folder: str

    @property
    def _files(self) -> Path:
        return Path(self.folder) / "registry"

    def manifest(self) -> dict:
        """`snapshot_at`, and per file its `sha256` and `rows`. Raises BadInput if it cannot be read."""
        path = self._files / "manifest.json"
        try:
            manifest = json.loads(path.read_text())
            datetime.fromisoformat(manifest["snapshot_at"])
            datetime.fromisoformat(manifest["advisories_at"])
            str(manifest["source"])
            for name in (*(f"{table}.parquet" for table in COLUMNS), TEXTS):
                manifest["files"][name]["sha256"]
        except FileNotFoundError as error:
            raise BadInput(f"{path} is missing: {_mend(path)}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path} cannot be read ({error!r}): {_mend(path)}") from error
        return manifest

    @property
    def snapshot_at(self) -> datetime:
        """The instant (UTC) at which the source stood as it is."""
        return datetime.fromisoformat(self.manifest()["snapshot_at"])

    @property
    def snapshot(self) -> str:
        """The partition key of the snapshot: its date."""
        return self.snapshot_at.date().isoformat()

    def verify(self, snapshot: str) -> dict:
        """The manifest, once every file was found whole and in its schema. Raises BadInput naming the file."""
        manifest = self.manifest()
        if snapshot != self.snapshot:
            raise BadInput(
                f"the registry in {self.folder} is the snapshot of {self.snapshot}; it has none of {snapshot}"
            )
        if self.snapshot_at.date() > date.today():
            raise BadInput(
                f"{self._files}/manifest.json: snapshot_at {self.snapshot_at} is in the future: check the clock"
            )
        _verify_bytes(Path(self.folder) / TEXTS, manifest["files"][TEXTS])
        for name, columns in COLUMNS.items():
            path = self._files / f"{name}.parquet"
            _verify_bytes(path, manifest["files"][path.name])
            _verify_schema(path, columns)
        return manifest

    def attach(self, con: duckdb.DuckDBPyConnection) -> None:
        """Makes the files visible as `source_<table>`."""
        for name in COLUMNS:
            view_files(con, f"source_{name}", [self._files / f"{name}.parquet"])
        texts = Path(self.folder) / TEXTS
        con.read_csv(str(texts), header=True, dtype={"name": "VARCHAR", "description": "VARCHAR"}).create_view(
            "source_texts", replace=True
        )


def manifest_hash(manifest: dict) -> str:
    """One hash for every byte of the source."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _verify_bytes(path: Path, expected: dict) -> None:
    if not path.exists():
        raise BadInput(f"{path} is missing: {_mend(path)}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != expected["sha256"]:
        raise BadInput(
            f"{path} is cut or corrupt (sha256 {digest[:12]}…, expected {expected['sha256'][:12]}…): {_mend(path)}"
        )


def _verify_schema(path: Path, columns: dict[str, pa.DataType]) -> None:
    found = pq.read_schema(path)
    for name, type_ in columns.items():
        if name not in found.names:
            raise BadInput(f"{path}: column {name} is missing (found {', '.join(found.names)}): {_mend(path)}")
        if found.field(name).type != type_:
            raise BadInput(f"{path}: column {name} is {found.field(name).type}, expected {type_}: {_mend(path)}")


def _mend(path: Path) -> str:
    return f"restore it (the bundled ones with `git checkout sample`), or make {path.parent} again with sample/build.py"
