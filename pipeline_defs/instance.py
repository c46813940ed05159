"""The Dagster instance under the data folder, created on first use."""

import os
import shutil
import time
from collections.abc import Iterable
from datetime import timedelta

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.instance.ref import InstanceRef

from assets.partitions import DATE_PARTITIONS, SNAPSHOT_PARTITIONS
from resources.common.errors import CannotWrite
from resources.common.processes import has_ended, process_token
from resources.common.settings import PROJECT, Settings

PROCESS_TAG = ".dagster/crates_process"  # token of the command line that executes a run
NO_CAPTURE = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


def process_tags() -> dict[str, str]:
    """Run tags that name this process."""
    return {PROCESS_TAG: process_token()}


def prepare_home(settings: Settings) -> None:
    """Creates $CRATES_DATA/dagster with our dagster.yaml and sets DAGSTER_HOME to it. Raises CannotWrite."""
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


def register_snapshots(instance: DagsterInstance, keys: Iterable[str]) -> None:
    """Adds snapshots as partition keys, in order. A key that exists keeps its place."""
    instance.add_dynamic_partitions(str(SNAPSHOT_PARTITIONS.name), sorted(keys))


def register_dates(instance: DagsterInstance, keys: Iterable[str]) -> None:
    """Adds as-of dates as partition keys, in order. A key that exists keeps its place."""
    instance.add_dynamic_partitions(str(DATE_PARTITIONS.name), sorted(keys))


def open_instance(settings: Settings) -> DagsterInstance:
    """The persistent instance: its runs show in the UI. Closes runs whose command line has ended."""
    prepare_home(settings)
    # not DagsterInstance.get(): capturing the output of a step takes four processes, which print tracebacks at Ctrl-C
    ref = InstanceRef.from_dir(str(settings.dagster_home), overrides={"compute_logs": NO_CAPTURE})
    instance = DagsterInstance.from_ref(ref)
    for record in instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.STARTED])):
        run = record.dagster_run
        token = run.tags.get(PROCESS_TAG)
        age = timedelta(seconds=time.time() - (record.start_time or time.time()))
        if token and has_ended(token, age):
            instance.report_run_failed(run, f"process {token}, which executed this run, is gone (probably killed)")
    return instance
