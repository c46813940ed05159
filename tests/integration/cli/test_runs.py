"""Runs of the command line: what is up to date is skipped, and Ctrl-C ends with one line and a run that is closed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from dagster import (
    AssetExecutionContext,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    RunsFilter,
    asset,
    define_asset_job,
)
from rich.console import Console

from cli.runs import INPUTS_TAG, PlannedRun, RunInputs, execute_runs, missing_runs
from pipeline_defs.build import build_defs
from pipeline_defs.instance import open_instance
from resources.common.settings import PROJECT, Settings
from resources.registry.bundled_registry import BundledRegistry
from resources.warehouse.table_store import TableStore

SNAPSHOT, DATES = "2020-07-20", ("2020-03-26", "2020-04-25")
RUNS: list[PlannedRun] = [("load_snapshot", SNAPSHOT), *(("compute_features", day) for day in DATES)]
STARTED = RunsFilter(job_name="compute_features", statuses=[DagsterRunStatus.STARTED])
# the demo without what takes long, so that only the order and the number of its runs matter
PROGRAM = """
import sys
from cli import demo, main, runs
runs.code_sha256 = lambda: "unchanged while the test runs"
demo.plan = lambda snapshot: [("load_snapshot", snapshot), *(("compute_features", day) for day in demo.AS_OF[:3])]
demo.print_answer = lambda settings, seconds: print("the answer")
sys.exit(main.main(["demo"]))
"""


@pytest.fixture
def project(settings: Settings) -> Iterator[tuple[Definitions, DagsterInstance, TableStore, RunInputs]]:
    snapshot = BundledRegistry(folder=str(settings.registry)).require(SNAPSHOT)
    with open_instance(settings) as instance:
        store = TableStore(root=str(settings.warehouse))
        yield build_defs(settings), instance, store, RunInputs.of(settings, snapshot)


def test_only_runs_whose_tables_are_missing_or_of_other_inputs_are_executed(
    project: tuple[Definitions, DagsterInstance, TableStore, RunInputs],
) -> None:
    defs, instance, store, inputs = project
    shown = StringIO()
    assert missing_runs(defs, instance, store, RUNS, inputs) == RUNS
    execute_runs(defs, instance, RUNS, Console(file=shown), inputs)
    assert [line.rpartition(":")[0] for line in shown.getvalue().splitlines()] == [" ".join(map(str, r)) for r in RUNS]
    # without an origin the UI's timeline does not show a run
    origins = [run.remote_job_origin for run in instance.get_runs()]
    assert {origin and origin.repository_origin.get_label() for origin in origins} == {"__repository__@crates"}
    assert missing_runs(defs, instance, store, RUNS, inputs) == []
    assert missing_runs(defs, instance, store, [*RUNS, ("train_predictor", None)], inputs) == [
        ("train_predictor", None)
    ]

    for other in (replace(inputs, code="other"), replace(inputs, snapshot="other")):
        assert missing_runs(defs, instance, store, RUNS, other) == RUNS
    assert missing_runs(defs, instance, store, RUNS, replace(inputs, model="other")) == []

    store.drop("labels", DATES[0])
    assert missing_runs(defs, instance, store, RUNS, inputs) == [("compute_features", DATES[0])]
    store.drop("crates", SNAPSHOT)
    assert missing_runs(defs, instance, store, RUNS, inputs) == RUNS


def test_table_of_a_run_without_known_inputs_is_computed_again(
    project: tuple[Definitions, DagsterInstance, TableStore, RunInputs],
) -> None:
    """A run that the UI started may have had other settings."""
    defs, instance, store, inputs = project
    execute_runs(defs, instance, RUNS[:1], Console(file=StringIO()))
    assert [INPUTS_TAG in run.tags for run in instance.get_runs()] == [False]
    assert missing_runs(defs, instance, store, RUNS[:1], inputs) == RUNS[:1]


def test_progress_bar_shows_what_an_asset_logs() -> None:
    @asset
    def models(context: AssetExecutionContext) -> None:
        context.log.info("quality: trained (5 of 5), 7 s")

    defs = Definitions(assets=[models], jobs=[define_asset_job("train", [models])])
    shown = StringIO()
    with DagsterInstance.ephemeral() as instance:
        execute_runs(defs, instance, [("train", None)], Console(file=shown, force_terminal=True, width=120))
    assert "quality: trained (5 of 5), 7 s" in shown.getvalue()


@pytest.mark.timeout(240)  # two processes that import Dagster and compute tables
def test_ctrl_c_ends_with_one_line_and_the_next_run_goes_on(settings: Settings) -> None:
    process = start(settings.data, settings.registry)
    assert process.stdout
    assert process.stdout.readline().startswith("load_snapshot 2020-07-20: ")
    with open_instance(settings) as instance:
        deadline = time.monotonic() + 60
        while not instance.get_runs(STARTED):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        rest, complaint = process.communicate(timeout=120)
        newest, *_, oldest = instance.get_runs()
    assert (process.returncode, complaint) == (130, "interrupted; run again to go on\n")
    assert "the answer" not in rest
    assert oldest.status == DagsterRunStatus.SUCCESS
    assert newest.status in (DagsterRunStatus.CANCELED, DagsterRunStatus.FAILURE)

    again = start(settings.data, settings.registry)
    shown, complaint = again.communicate(timeout=300)
    assert (again.returncode, complaint) == (0, "")
    skipped, *lines, answer = shown.splitlines()
    done = 1 + rest.count("compute_features")
    assert skipped == f"{done} of 4 runs are up to date (`--again` runs them again)"
    assert len(lines) == 4 - done and not any(line.startswith("load_snapshot") for line in lines)
    assert answer == "the answer"


def start(data: Path, registry: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=PROJECT,
        env={**os.environ, "CRATES_DATA": str(data), "CRATES_REGISTRY": str(registry), "CRATES_THREADS": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
