"""Paths and limits of an installation: the only module that reads CRATES_… variables."""

import os
from dataclasses import dataclass
from pathlib import Path

from resources.common.errors import BadInput

PROJECT = Path(__file__).resolve().parents[2]
ADVISORY_DATABASE = "https://github.com/RustSec/advisory-db"
BUNDLED, CRATES_IO = SOURCES = ("bundled", "crates.io")


@dataclass(frozen=True)
class Settings:
    """Paths, limits and sources of one installation.

    Everything is written under `data`. `source` is `bundled` (the folder `registry`, see `sample/README.md`) or
    `crates.io` (the fields up to `keep_snapshots`, see `docs/sources.md`). Next are the settings of the language
    model (`docs/enrichment.md`) and of the cache (`docs/cache.md`, sizes in MB).
    """

    data: Path
    registry: Path
    memory: str
    threads: int
    source: str
    dump: str
    contact: str
    advisory_db: str
    static_url: str
    index_url: str
    history_days: int
    keep_snapshots: int
    model: str
    model_sha256: str
    model_workers: int
    model_url: str
    redis_url: str
    cache_key: str
    cache_memory_mb: int
    cache_disk_mb: int
    redis_timeout_ms: int

    @classmethod
    def from_env(cls) -> "Settings":
        """Reads the environment variables that README and docs/sources.md list. Raises BadInput."""
        static_url = os.environ.get("CRATES_STATIC_URL") or "https://static.crates.io"
        return cls(
            data=Path(os.environ.get("CRATES_DATA") or PROJECT / "data").absolute(),
            registry=Path(os.environ.get("CRATES_REGISTRY") or PROJECT / "sample").absolute(),
            memory=os.environ.get("CRATES_MEMORY") or "3GB",
            threads=_integer("CRATES_THREADS", min(os.cpu_count() or 2, 8), 1),
            source=_one_of("CRATES_SOURCE", SOURCES),
            dump=os.environ.get("CRATES_DUMP") or f"{static_url}/db-dump.zip",
            contact=os.environ.get("CRATES_CONTACT") or "",
            advisory_db=os.environ.get("CRATES_ADVISORY_DB") or ADVISORY_DATABASE,
            static_url=static_url,
            index_url=os.environ.get("CRATES_INDEX_URL") or "https://index.crates.io",
            history_days=_integer("CRATES_HISTORY_DAYS", 0, 0),
            keep_snapshots=_integer("CRATES_KEEP_SNAPSHOTS", 14, 1),
            model=os.environ.get("CRATES_MODEL") or "",
            model_sha256=os.environ.get("CRATES_MODEL_SHA256") or "",
            model_workers=_integer("CRATES_MODEL_WORKERS", 2, 1),
            model_url=os.environ.get("CRATES_MODEL_URL") or "",
            redis_url=os.environ.get("REDIS_URL") or "",
            cache_key=os.environ.get("CRATES_CACHE_KEY") or "",
            cache_memory_mb=_integer("CRATES_CACHE_MEMORY_MB", 64, 1),
            cache_disk_mb=_integer("CRATES_CACHE_DISK_MB", 1024, 0),
            redis_timeout_ms=_integer("CRATES_REDIS_TIMEOUT_MS", 50, 1),
        )

    @property
    def warehouse(self) -> Path:
        return self.data / "warehouse"

    @property
    def catalog(self) -> Path:
        return self.data / "catalog.duckdb"

    @property
    def dagster_home(self) -> Path:
        return self.data / "dagster"

    @property
    def mlflow(self) -> Path:
        return self.data / "mlflow"

    @property
    def snapshots(self) -> Path:
        return self.data / "snapshots"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def replies(self) -> Path:
        return self.data / "replies"

    @property
    def cache(self) -> Path:
        return self.data / "cache"

    @property
    def scratch(self) -> Path:
        return self.data / "tmp"


def _integer(name: str, default: int, minimum: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < minimum:
        raise BadInput(f"{name}={text!r}, expected an integer of at least {minimum} (default: {default})")
    return int(text)


def _one_of(name: str, values: tuple[str, ...]) -> str:
    text = os.environ.get(name) or values[0]
    if text not in values:
        raise BadInput(f"{name}={text!r}, expected one of {', '.join(values)} (default: {values[0]})")
    return text
