"""`crates backtest`: tests the predictor on every labelled date of the bundled registry and writes docs/backtest.md."""

import time
from dataclasses import replace
from pathlib import Path

import duckdb

from assets.partitions import LATEST
from cli import demo
from cli.backtest_page import render
from cli.runs import PlannedRun, RunInputs
from cli.terminal import print_line, print_paragraph
from resources.common.errors import CannotWrite
from resources.common.settings import BUNDLED, PROJECT, Settings
from resources.registry.bundled_registry import BundledRegistry
from resources.warehouse.session import view
from resources.warehouse.table_store import TableStore

# those of the demo, and dates between them: earlier tests, and the labels that their models are trained on
AS_OF = tuple(sorted({*demo.AS_OF, "2020-04-11", "2020-05-09", "2020-05-24"}))
NEEDED = ("load_snapshot", "compute_features")  # runs of `crates demo` that the backtest reads


def plan(snapshot: str, as_of: tuple[str, ...] = AS_OF) -> list[PlannedRun]:
    """The runs of `crates demo` up to labels, then the test."""
    return [*(run for run in demo.plan(snapshot, as_of) if run[0] in NEEDED), ("backtest", None)]


def write_page(settings: Settings, snapshot: str) -> Path:
    """Writes the page of what the warehouse holds, into docs/ if that is the bundled registry. Raises CannotWrite."""
    store = TableStore(root=str(settings.warehouse))
    with duckdb.connect() as con:
        view(con, store, "walk_forward", LATEST)
        view(con, store, "snapshots", snapshot)
        page = render(con)
    folder = PROJECT / "docs" if settings.registry == PROJECT / "sample" else settings.data
    path = folder / "backtest.md"
    try:
        path.write_text(page)
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}. Make its folder one that can be written") from error
    return path


def run_backtest(settings: Settings, again: bool) -> None:
    """Executes the runs that are missing (`again`: all) and writes the page. Raises BadInput, CannotWrite,
    CommandFailed."""
    started = time.monotonic()
    source = BundledRegistry(folder=str(settings.registry))
    snapshot = source.require(source.newest().key)
    inputs = RunInputs.of(settings, snapshot)
    demo.execute_missing(replace(settings, source=BUNDLED), plan(snapshot.key), inputs, again)
    path = write_page(settings, snapshot.key)
    print_line()
    print_paragraph(f"Tested in {time.monotonic() - started:.0f} s. Every figure is in {path}")
    print_paragraph("`crates mlflow` shows them by test date in the experiment backtest.")
