"""Opening the Dagster instance closes the runs of command lines that have ended."""

import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus

from pipeline_defs.instance import PROCESS_TAG, open_instance
from resources.common.processes import MAX_FOREIGN_AGE, process_token
from resources.common.settings import Settings

OLD = MAX_FOREIGN_AGE.total_seconds() + 60


HERE = socket.gethostname()


def start_run(instance: DagsterInstance, token: str | None, age_s: float) -> str:
    """A run that was started `age_s` seconds ago and has not ended."""
    run = instance.add_run(DagsterRun(job_name="job", tags={PROCESS_TAG: token} if token else {}))
    started = DagsterEvent(DagsterEventType.RUN_START.value, job_name="job")
    instance.report_dagster_event(started, run.run_id, timestamp=time.time() - age_s)
    return run.run_id


def test_only_runs_of_ended_command_lines_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")  # restored after the test
    monkeypatch.setenv("CRATES_DATA", "")
    settings = replace(Settings.from_env(), data=tmp_path / "data")
    runs = {
        "ended": (f"999999999-1@{HERE}", 0.0),
        "pid reused": (f"{os.getpid()}-1@{HERE}", 0.0),
        "running": (process_token(), OLD),
        "other host": ("1-1@elsewhere.example.org", 0.0),
        "other host, old": ("1-1@elsewhere.example.org", OLD),
        "of the daemon": (None, OLD),
    }
    with open_instance(settings) as instance:
        ids = {start_run(instance, *run): name for name, run in runs.items()}
    with open_instance(settings) as instance:
        closed = {ids[run.run_id] for run in instance.get_runs() if run.status == DagsterRunStatus.FAILURE}
        running = {ids[run.run_id] for run in instance.get_runs() if run.status == DagsterRunStatus.STARTED}
    assert closed == {"ended", "pid reused", "other host, old"}
    assert running == set(runs) - closed
