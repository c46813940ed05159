"""The Dagster instance under the data folder, made on first use."""

import os
import shutil
from collections.abc import Iterable

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from assets.table_asset import DATES
from resources.common.errors import CannotWrite
from resources.common.processes import is_alive
from resources.common.settings import PROJECT, Settings

PID_TAG = ".dagster/crates_pid"  # of the command line that executes a run in its own process


def prepare_home(settings: Settings) -> None:
    """Makes $CRATES_DATA/dagster with our dagster.yaml, and points DAGSTER_HOME at it. Raises CannotWrite."""
    home = settings.dagster_home
    try:
        home.mkdir(parents=True, exist_ok=True)
        settings.scratch.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / "dagster.yaml", home / "dagster.yaml")
    except OSError as error:
        raise CannotWrite(
            f"cannot write {home}: {error.strerror}. Set CRATES_DATA to a folder that can be written"
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["CRATES_DATA"] = str(settings.data)


def register_dates(instance: DagsterInstance, dates: Iterable[str]) -> None:
    """Makes dates known as partition keys, in order. One that is known stays where it is."""
    instance.add_dynamic_partitions(str(DATES.name), sorted(dates))


def open_instance(settings: Settings) -> DagsterInstance:
    """The persistent instance: its runs show in the UI. Runs of command lines that were killed are closed."""
    prepare_home(settings)
    instance = DagsterInstance.get()
    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED])):
        pid = run.tags.get(PID_TAG)
        if pid and not is_alive(int(pid)):
            instance.report_run_failed(run, f"process {pid}, which ran this, ended without a word")
    return instance
