"""`crates mlflow`: MLflow's pages on our store, until interrupted."""

import os
import sqlite3

from cli.processes import program, replace_process, require_free_port
from cli.terminal import print_line
from resources.common.errors import BadInput
from resources.common.settings import Settings
from resources.tracking import DATABASE, EXPERIMENT
from serving.crate_lookup import HOW_TO_START

QUIET = "--log-level critical"  # at Ctrl-C it logs its own cancellation as an error
# its job runner, for language models, would start eight more processes
ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "PYTHONWARNINGS": "ignore",
}


def serve_mlflow(settings: Settings, port: int) -> None:
    """Becomes `mlflow ui`. Raises BadInput if nothing was trained, CommandFailed if the port is taken."""
    store = settings.mlflow / DATABASE
    if not store.exists():
        raise BadInput(f"no trained models in {settings.mlflow} yet: {HOW_TO_START}")
    require_free_port(port, "mlflow")
    page = f"experiments/{_experiment_id(str(store))}/runs?workflowType=machine_learning"
    address = f"http://127.0.0.1:{port}/#/{page}"
    print_line(f"MLflow on {address} (Ctrl-C stops it)")
    store_options = ["--backend-store-uri", f"sqlite:///{store}", "--no-serve-artifacts"]
    port_options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--uvicorn-opts", QUIET]
    os.chdir(settings.mlflow)  # whatever it writes is written there
    replace_process([program("mlflow"), "ui", *store_options, *port_options], ENVIRONMENT)


def _experiment_id(store: str) -> int:
    """The experiment of the shipped models. Read without MLflow, whose import takes seconds."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as con:
        row = con.execute("select experiment_id from experiments where name = ?", [EXPERIMENT]).fetchone()
    con.close()
    return row[0] if row else 0
