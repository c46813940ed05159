"""`make refresh`: today's crates.io, from nothing to scores of the whole registry."""

import sys
import time
from datetime import date, timedelta

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from assets.predictions.predictor import CHAMPION
from ml.targets import TARGETS
from pipeline_defs.answer import print_answer
from pipeline_defs.build import build_defs, build_source
from pipeline_defs.demo import run_plan
from pipeline_defs.instance import open_instance
from resources.errors import BadInput, CannotWrite, SourceUnreachable
from resources.settings import Settings
from resources.sources.source import RegistrySource
from resources.tracking import Tracking

RETRAIN_DAYS = 7  # as the weekly schedule does


def plan(key: str, learnt_until: date | None) -> list[tuple[str, str | None]]:
    """The runs that bring everything up to the snapshot of `key`, in order: job and partition key.

    `learnt_until` is the date by which the champions' last labels were known; None if a target has no champion.
    """
    newest = date.fromisoformat(key)
    training: list[tuple[str, str | None]] = []
    if learnt_until is None or newest - learnt_until > timedelta(days=RETRAIN_DAYS):
        training = [
            *(("compute_features", day.isoformat()) for day in training_dates(newest)),
            ("train_predictor", None),
        ]
    return [
        ("load_snapshot", key),
        *training,
        ("compute_features", key),
        ("score_crates", key),
        ("keep_snapshots", None),
    ]


def training_dates(newest: date) -> list[date]:
    """Three as-of dates a horizon apart: the labels of each were known by the next, those of the last by `newest`."""
    horizon = max(target.horizon_days for target in TARGETS)
    return [newest - timedelta(days=horizon * steps) for steps in (3, 2, 1)]


def learnt_until(tracking: Tracking) -> date | None:
    """The earliest date by which all that a champion learnt was known; None if a target has no champion."""
    champions = [tracking.load(target.name, CHAMPION) for target in TARGETS]
    known = [date.fromisoformat(model.tags["known_through"]) for model in champions if model]
    return min(known) if len(known) == len(TARGETS) else None


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

        def say(line: str) -> None:
            console.print(escape(line))

        source.fetch(newest.key, say, report if console.is_terminal else None)
    return newest.key


def main() -> int:
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 110)
    settings = Settings.from_env()
    started = time.monotonic()
    try:
        key = fetch(build_source(settings), console)
        console.print(f"fetch {key}: {time.monotonic() - started:.1f} s")
        with open_instance(settings) as instance:
            runs = plan(key, learnt_until(Tracking(folder=str(settings.mlflow))))
            if not run_plan(build_defs(settings), instance, runs, console):
                return 1
        print_answer(settings, console, time.monotonic() - started)
    except (BadInput, CannotWrite, SourceUnreachable) as error:
        console.print(f"[red]error:[/red] {escape(str(error))}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
