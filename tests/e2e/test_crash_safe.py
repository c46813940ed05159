"""Killed at any moment, the DAG leaves whole tables, and a re-run ends with the bytes of an undisturbed run."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from resources.common.settings import PROJECT
from resources.warehouse.table_store import TableStore

AS_OF = ("2020-03-26", "2020-04-25", "2020-06-07")
KILLS = 10
# one target and three dates publish by the same code as all; that texts are read once is test_enrichment_journal's
PROGRAM = f"""
import sys
import ml.targets
ml.targets.TARGETS = ml.targets.TARGETS[:1]
from cli import demo, main
plan = demo.plan
demo.plan = lambda snapshot: [run for run in plan(snapshot, {AS_OF!r}) if run[0] != "enrich_texts"]
sys.exit(main.main(["demo", "--again"]))
"""


def start(data: Path, registry: Path) -> subprocess.Popen:
    environment = {**os.environ, "CRATES_DATA": str(data), "CRATES_REGISTRY": str(registry), "CRATES_THREADS": "2"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def run_to_end(data: Path, registry: Path) -> float:
    started = time.monotonic()
    process = start(data, registry)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output.decode()
    return time.monotonic() - started


def visible(data: Path) -> dict[str, str]:
    """Every published partition and the sha256 of its bytes, after a check that each is whole."""
    store = TableStore(root=str(data / "warehouse"))
    found = {}
    for table, partitions in store.tables().items():
        for published in partitions:
            digest = hashlib.sha256(published.path.read_bytes()).hexdigest()
            assert digest == published.sha256, f"{published.path} is not what was published"
            found[f"{table}/{published.key}"] = digest
    return found


def read_catalog(data: Path) -> None:
    """Every view of the catalog, if there is one, can be read to its end."""
    path = data / "catalog.duckdb"
    if path.exists():
        with duckdb.connect(str(path), read_only=True) as con:
            for (name,) in con.execute("select view_name from duckdb_views() where not internal").fetchall():
                con.execute(f"select count(*), max(hash({name})) from {name}").fetchall()


@pytest.mark.timeout(1500)  # some eight whole runs, beside the other test process
def test_kill_at_ten_random_moments_then_rerun(tmp_path: Path, small_registry: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    seconds = run_to_end(undisturbed, small_registry)
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    seen = []
    for _ in range(KILLS):
        process = start(killed, small_registry)
        time.sleep(moments.uniform(0.5, seconds))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        read_catalog(killed)
        seen.append(len(visible(killed)))
    run_to_end(killed, small_registry)
    expected = visible(undisturbed)
    assert visible(killed) == expected, f"seed {seed}, tables after each kill: {seen}"
    leftovers = [p for p in (killed / "warehouse").rglob(".*") if p.is_file()]
    assert not leftovers, f"seed {seed}: {leftovers}"
    run_to_end(undisturbed, small_registry)
    assert visible(undisturbed) == expected, "a re-run of unchanged input gives other bytes"
