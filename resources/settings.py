"""Where things are and how much they may use: the one place that reads the environment."""

import os
from dataclasses import dataclass
from pathlib import Path

from resources.errors import BadInput

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Paths and limits of one installation.

    `data` holds all that is written; `registry` is the folder of the registry source (see `sample/README.md`).
    """

    data: Path
    registry: Path
    memory: str
    threads: int

    @classmethod
    def from_env(cls) -> "Settings":
        """Reads CRATES_DATA, CRATES_REGISTRY, CRATES_MEMORY (DuckDB's limit) and CRATES_THREADS."""
        return cls(
            data=Path(os.environ.get("CRATES_DATA") or PROJECT / "data").absolute(),
            registry=Path(os.environ.get("CRATES_REGISTRY") or PROJECT / "sample").absolute(),
            memory=os.environ.get("CRATES_MEMORY") or "2GB",
            threads=_threads(),
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
    def scratch(self) -> Path:
        return self.data / "tmp"


def _threads() -> int:
    text = os.environ.get("CRATES_THREADS") or str(min(os.cpu_count() or 2, 8))
    if not text.isdigit() or int(text) < 1:
        raise BadInput(f"CRATES_THREADS={text!r} is not a number of threads: set it to 1 or more, or leave it out")
    return int(text)
