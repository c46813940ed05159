"""`crates demo` in a process of its own, while others query its tables; and what it left behind."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from resources.common.settings import PROJECT, Settings

CRATES = (sys.executable, "-m", "cli.main")
VIEW_COUNTS = "view-counts.json"
MAX_SECONDS = 1200.0
PAUSE_S = 2  # between two queries: a reader that never pauses takes half a core from the run


class Demo(NamedTuple):
    """A finished `crates demo`: its settings and what it printed."""

    settings: Settings
    output: str

    @property
    def view_counts(self) -> list[int]:
        """The number of views that the catalog had at each query while it ran."""
        return json.loads((self.settings.data.parent / VIEW_COUNTS).read_text())


def demo_environment(data: Path, registry: Path) -> dict[str, str]:
    return {**os.environ, "CRATES_DATA": str(data), "CRATES_REGISTRY": str(registry), "CRATES_THREADS": "2"}


def run_demo(folder: Path, registry: Path) -> None:
    """Runs it on `folder`/data, and queries every view of its catalog again and again until it ends."""
    with (folder / "output").open("w") as output:
        run = subprocess.Popen(
            [*CRATES, "demo"],
            cwd=PROJECT,
            env=demo_environment(folder / "data", registry),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            counts = _query_until_end(run, folder / "data" / "catalog.duckdb")
        finally:
            run.kill()
            run.wait()
    assert run.returncode == 0, (folder / "output").read_text()
    (folder / VIEW_COUNTS).write_text(json.dumps(counts))


def read_demo(folder: Path, registry: Path) -> Demo:
    settings = replace(Settings.from_env(), data=folder / "data", registry=registry, threads=2)
    return Demo(settings, (folder / "output").read_text())


def _query_until_end(run: subprocess.Popen, catalog: Path) -> list[int]:
    """The number of views at each look. Any error of a query, such as a lock, fails."""
    counts = []
    deadline = time.monotonic() + MAX_SECONDS
    while run.poll() is None:
        assert time.monotonic() < deadline, f"`crates demo` takes longer than {MAX_SECONDS:.0f} s"
        if catalog.exists():
            views = query_shell(catalog, "select view_name from duckdb_views() where not internal")
            counting = "; ".join(f"select count(*) from {view}" for view in views)
            query_shell(catalog, counting or "select 1", "-readonly")
            counts.append(len(views))
        time.sleep(PAUSE_S)
    return counts


def query_shell(catalog: Path, sql: str, *options: str) -> list[str]:
    """The lines that `duckdb catalog.duckdb "…"` prints."""
    shell = shutil.which("duckdb", path=str(Path(sys.executable).parent))
    assert shell
    command = [shell, "-noheader", "-list", *options, str(catalog), sql]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
