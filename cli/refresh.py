"""`crates refresh`: today's crates.io, from nothing to scores of the whole registry."""

import time
from dataclasses import replace
from datetime import date, timedelta

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from assets.predictions.predictor import CHALLENGER
from cli.answer import print_answer
from cli.demo import execute_missing
from cli.runs import PlannedRun, RunInputs
from cli.terminal import console as progress_console
from ml.targets import TARGETS
from pipeline_defs.build import build_source
from pipeline_defs.instance import open_instance
from pipeline_defs.jobs import train_predictor
from resources.common.settings import CRATES_IO, Settings
from resources.registry.source import RegistrySource
from resources.tracking import Tracking

RETRAIN_DAYS = 7  # as the weekly schedule does
# as-of dates for training and tests: each target is tested on the newest date whose labels have matured (43, 116, 365
# or 487 days), and trained on labels known by that date
TRAINING_DAYS_BACK = (501, 365, 232, 116, 43)


def plan(key: str, trained_on: date | None) -> list[PlannedRun]:
    """The runs that bring everything up to the snapshot of `key`, in order: job and partition key.

    `trained_on` is the snapshot that was newest at the last training; None if there was none.
    """
    newest = date.fromisoformat(key)
    training: list[PlannedRun] = []
    if trained_on is None or newest - trained_on > timedelta(days=RETRAIN_DAYS):
        training = [
            *(("compute_features", day.isoformat()) for day in training_dates(newest)),
            ("train_predictor", None),
        ]
    return [
        ("load_snapshot", key),
        *training,
        ("compute_features", key),
        ("score_crates", key),
        ("prune_snapshots", None),
    ]


def training_dates(newest: date) -> list[date]:
    """The as-of dates that every target learns from and is tested on, the earliest first."""
    return [newest - timedelta(days=days) for days in TRAINING_DAYS_BACK]


def trained_on(tracking: Tracking, instance: DagsterInstance) -> date | None:
    """The snapshot that was newest at the last whole training; None if there was none."""
    runs = instance.get_runs(RunsFilter(job_name=train_predictor.name), limit=1)
    if runs and runs[0].status != DagsterRunStatus.SUCCESS:  # interrupted: only some targets were trained
        return None
    challengers = [tracking.load(target.name, CHALLENGER) for target in TARGETS]
    return max((date.fromisoformat(c.tags["snapshot"]) for c in challengers if c), default=None)


def fetch(source: RegistrySource, console: Console) -> str:
    """Brings the newest snapshot here, with a bar for each file; returns its key."""
    newest = source.newest()
    console.print(f"snapshot of {newest.taken_at:%Y-%m-%d %H:%M} UTC")
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=total)
            progress.update(bars[what], completed=done)

        source.fetch(newest.key, console.print, report if console.is_terminal else None)
    return newest.key


def run_refresh(settings: Settings, again: bool) -> None:
    """Fetches the newest snapshot, executes the runs that are missing (`again`: all) and prints the answer.

    Raises BadInput, CannotWrite, SourceUnreachable, CommandFailed.
    """
    started = time.monotonic()
    settings = replace(settings, source=CRATES_IO)
    source, console = build_source(settings), progress_console()
    key = fetch(source, console)
    console.print(f"fetch {key}: {time.monotonic() - started:.1f} s")
    with open_instance(settings) as instance:
        last_trained = trained_on(Tracking(folder=str(settings.mlflow)), instance)
    execute_missing(settings, plan(key, last_trained), RunInputs.of(settings, source.require(key)), again)
    print_answer(settings, time.monotonic() - started)
