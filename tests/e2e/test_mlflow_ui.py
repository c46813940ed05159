"""`crates mlflow` on a finished demo: the printed page is that of the runs, and Ctrl-C ends every process."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest

from assets.schemas.predictions import TARGET_NAMES
from resources.common.settings import PROJECT
from testing.demo_run import Demo

START_SECONDS = 90
PAGE = r"^MLflow on (http://\S+)/#/experiments/(\d+)/runs\?workflowType=machine_learning "


def api(url: str, method: str, **arguments: object) -> dict:
    """An answer of MLflow's API: GET without arguments, else POST."""
    body = json.dumps(arguments).encode() if arguments else None
    request = Request(f"{url}/ajax-api/2.0/mlflow/{method}", data=body, headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as response:
        return json.load(response)


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        try:
            urlopen(f"{url}/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)


@pytest.mark.timeout(240)  # MLflow's server takes 10 s to start on a quiet machine
def test_mlflow_opens_on_the_runs_and_ends_with_ctrl_c(demo: Demo, tmp_path: Path) -> None:
    settings, _ = demo
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    before, log = sorted(settings.mlflow.iterdir()), tmp_path / "log"
    environment = {**os.environ, "CRATES_DATA": str(settings.data), "HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "cli.main", "mlflow", "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{port}", process, log)
        found = re.search(PAGE, log.read_text())
        assert found, log.read_text()
        url, experiment_id = found.groups()
        experiment = api(url, f"experiments/get?experiment_id={experiment_id}")["experiment"]
        runs = api(url, "runs/search", experiment_ids=[experiment_id])["runs"]
        processes = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
    assert experiment["name"] == "predictor"
    assert {"key": "mlflow.experimentKind", "value": "custom_model_development"} in experiment["tags"]
    assert {run["info"]["run_name"].split()[0] for run in runs} == set(TARGET_NAMES)
    assert "Traceback" not in log.read_text()
    assert psutil.wait_procs(processes, timeout=30)[1] == []
    assert len(processes) <= 3  # the command, the server and its watcher
    assert sorted(settings.mlflow.iterdir()) == before
