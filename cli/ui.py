"""`crates ui`: the Dagster web server and daemon on our instance, until interrupted."""

import os
import sys
from pathlib import Path

from cli.processes import program, replace_process, require_free_port
from cli.terminal import print_line
from pipeline_defs.instance import prepare_home
from resources.common.settings import PROJECT, Settings
from serving.crate_lookup import require_tables


def serve_dagster(settings: Settings, port: int, empty: bool) -> None:
    """Becomes `dg dev`. Raises BadInput if there are no tables, CommandFailed if the port is taken, CannotWrite."""
    if not empty:
        require_tables(settings)
    require_free_port(port, "ui")
    prepare_home(settings)
    # from the instance's folder it finds one dagster.yaml, the one in use
    os.chdir(settings.dagster_home)
    print_line(f"Dagster on http://127.0.0.1:{port} (Ctrl-C stops it)")
    command = [program("dg"), "dev", "--host", "127.0.0.1", "--port", str(port), "-w", str(PROJECT / "workspace.yaml")]
    # it starts other programs of this environment by their names
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    replace_process(command, {"PYTHONPATH": str(PROJECT), "PATH": path})
