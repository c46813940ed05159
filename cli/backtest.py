"""`make backtest`: tests the predictor on every labelled date of the bundled registry, and writes docs/backtest.md."""

import sys
import time
from pathlib import Path

import duckdb
from rich.console import Console
from rich.markup import escape

from assets.point_in_time import REGISTRY_TABLES
from assets.table_asset import ONLY
from cli import demo
from cli.backtest_page import render
from pipeline_defs.build import build_defs
from pipeline_defs.instance import open_instance
from resources.common.errors import BadInput, CannotWrite
from resources.common.settings import PROJECT, Settings
from resources.registry.bundled_registry import BundledRegistry
from resources.registry.source import Snapshot
from resources.warehouse.session import view
from resources.warehouse.table_store import TableStore

# those of the demo, and what lies between: earlier tests, and what teaches them
AS_OF = tuple(sorted({*demo.AS_OF, "2020-04-11", "2020-05-09", "2020-05-24"}))
# what the backtest needs of a run of `make demo`
MADE_BY = {"load_snapshot": ("snapshots", *REGISTRY_TABLES), "compute_features": ("features", "labels")}


def plan(store: TableStore, snapshot: Snapshot, as_of: tuple[str, ...] = AS_OF) -> list[tuple[str, str | None]]:
    """The runs of `make demo` up to labels, less those whose tables are of this snapshot already; then the test."""
    runs = [(job, key) for job, key in demo.plan(snapshot.key, as_of) if key and job in MADE_BY]
    return [*(run for run in runs if not _is_made(store, *run, snapshot.sha256)), ("backtest", None)]


def _is_made(store: TableStore, job: str, key: str, origin: str) -> bool:
    found = [store.find(table, key) for table in MADE_BY[job]]
    return all(table is not None and table.origin == origin for table in found)


def write_page(settings: Settings, snapshot: str) -> Path:
    """Writes the page of what the warehouse holds, into docs/ if that is the bundled registry. Raises CannotWrite."""
    store = TableStore(root=str(settings.warehouse))
    with duckdb.connect() as con:
        view(con, store, "walk_forward", ONLY)
        view(con, store, "snapshots", snapshot)
        page = render(con)
    folder = PROJECT / "docs" if settings.registry == PROJECT / "sample" else settings.data
    path = folder / "backtest.md"
    try:
        path.write_text(page)
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}. Make its folder one that can be written") from error
    return path


def main() -> int:
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 110)
    settings = Settings.from_env()
    started = time.monotonic()
    try:
        source = BundledRegistry(folder=str(settings.registry))
        snapshot = source.need(source.newest().key)
        with open_instance(settings) as instance:
            runs = plan(TableStore(root=str(settings.warehouse)), snapshot)
            if not demo.run_plan(build_defs(settings), instance, runs, console):
                return 1
        path = write_page(settings, snapshot.key)
    except (BadInput, CannotWrite) as error:
        console.print(f"[red]error:[/red] {escape(str(error))}")
        return 1
    console.print(f"\nTested in {time.monotonic() - started:.0f} s; every figure is in {escape(str(path))}")
    console.print(
        f"and, by test date, in the MLflow experiment backtest (mlflow ui --backend-store-uri sqlite:///{escape(str(settings.mlflow))}/mlflow.db)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
