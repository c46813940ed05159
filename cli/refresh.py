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

from assets.predictions.predictor import CHALLENGER
from cli.answer import print_answer
from cli.demo import run_plan
from ml.targets import TARGETS
from pipeline_defs.build import build_defs, build_source
from pipeline_defs.instance import open_instance
from resources.common.errors import BadInput, CannotWrite, SourceUnreachable
from resources.common.settings import Settings
from resources.registry.source import RegistrySource
from resources.tracking import Tracking

RETRAIN_DAYS = 7  # as the weekly schedule does
# as-of dates that train and test: each target is tested on the newest whose labels have matured (43, 116, 365 or 487
# days), and taught by labels known on that date
TRAINING_DAYS_BACK = (501, 365, 232, 116, 43)


def plan(key: str, trained_on: date | None) -> list[tuple[str, str | None]]:
    """The runs that bring everything up to the snapshot of `key`, in order: job and partition key.

    `trained_on` is the snapshot that was newest at the last training; None if there was none.
    """
    newest = date.fromisoformat(key)
    training: list[tuple[str, str | None]] = []
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
        ("keep_snapshots", None),
    ]


def training_dates(newest: date) -> list[date]:
    """The as-of dates that every target learns from and is tested on, the earliest first."""
    return [newest - timedelta(days=days) for days in TRAINING_DAYS_BACK]


def trained_on(tracking: Tracking) -> date | None:
    """The snapshot that was newest when the challengers were trained; None if there are none."""
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
            runs = plan(key, trained_on(Tracking(folder=str(settings.mlflow))))
            if not run_plan(build_defs(settings), instance, runs, console):
                return 1
        print_answer(settings, console, time.monotonic() - started)
    except (BadInput, CannotWrite, SourceUnreachable) as error:
        console.print(f"[red]error:[/red] {escape(str(error))}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
