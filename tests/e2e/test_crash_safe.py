"""Killed at any moment, a run leaves complete tables; the next run ends with the bytes of an undisturbed one.

tests/integration/test_publication_faults.py stops the publication of a table at each of its steps.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from resources.common.settings import PROJECT
from testing.demo_run import CRATES, Demo, demo_environment
from testing.published import State, published

KILLS = 10
# `crates demo` as far as the features of one date: all tables are published by the same code
PROGRAM = """
import sys
from cli import demo, main
plan = demo.plan
demo.plan = lambda snapshot: [run for run in plan(snapshot, demo.AS_OF[:1]) if run[0] in sys.argv[1:]]
demo.print_answer = lambda settings, seconds: None
sys.exit(main.main(["demo"]))
"""
SHORT = (sys.executable, "-c", PROGRAM, "load_snapshot", "compute_features")


def start(command: tuple[str, ...], data: Path, registry: Path) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        cwd=PROJECT,
        env=demo_environment(data, registry),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def run_to_end(command: tuple[str, ...], data: Path, registry: Path) -> float:
    """Runs it and returns the seconds that it took."""
    started = time.monotonic()
    process = start(command, data, registry)
    output = process.communicate()[0]
    assert process.returncode == 0, output.decode()
    return time.monotonic() - started


def kill(process: subprocess.Popen, is_time: Callable[[], bool]) -> None:
    """Kills a run and what it started, as soon as it is time."""
    while not is_time():
        assert process.poll() is None, process.communicate()[0].decode()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def read_catalog(data: Path) -> None:
    """Reads every view of the catalog to its end, if there is one."""
    path = data / "catalog.duckdb"
    if path.exists():
        with duckdb.connect(str(path), read_only=True) as con:
            for (name,) in con.execute("select view_name from duckdb_views() where not internal").fetchall():
                con.execute(f"select count(*), max(hash({name})) from {name}").fetchall()


def check_completed(data: Path, expected: State, message: str) -> None:
    assert published(data) == expected, message
    assert [p for p in (data / "warehouse").rglob(".*") if p.is_file()] == [], message


def test_killed_run_is_completed_by_the_next(tmp_path: Path, demo: Demo) -> None:
    """The tables are those of the session's undisturbed run, on the same registry by another process."""
    data, registry = tmp_path / "data", demo.settings.registry
    undisturbed = published(demo.settings.data)
    tables = random.randint(1, 15)
    process = start(SHORT, data, registry)
    kill(process, lambda: len(list((data / "warehouse").glob("*/*/current.json"))) >= tables)
    read_catalog(data)
    left = published(data)
    assert len(left) >= tables
    run_to_end(SHORT, data, registry)
    made = published(data)
    assert len(made) > len(left)
    assert {key.partition("/")[0] for key in made} >= {"dependencies", "features", "labels"}
    check_completed(data, {key: undisturbed[key] for key in made}, f"killed after {tables} tables")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kill_at_ten_random_moments_then_rerun(tmp_path: Path, small_registry: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    whole = (*CRATES, "demo", "--again")
    seconds = run_to_end(whole, undisturbed, small_registry)
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    seen = []
    for _ in range(KILLS):
        end = time.monotonic() + moments.uniform(0.5, seconds)
        kill(start(whole, killed, small_registry), lambda end=end: time.monotonic() > end)
        read_catalog(killed)
        seen.append(len(published(killed)))
    run_to_end(whole, killed, small_registry)
    expected = published(undisturbed)
    check_completed(killed, expected, f"seed {seed}, tables after each kill: {seen}")
    run_to_end(whole, undisturbed, small_registry)
    assert published(undisturbed) == expected, "a second run on unchanged input gives other bytes"
