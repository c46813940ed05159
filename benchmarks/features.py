"""`crates bench features`: time and memory of the demo, of each step of `features` and of scoring, with their limits.

Also compares the edges of the graph in SQL with pandas. Prints ratios and never fails, since timings vary by machine.
"""

import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from rich.console import Console

from assets.features.steps import STEPS, run_step
from assets.point_in_time import attach_registry, set_as_of
from benchmarks.scoring import scoring
from cli import demo
from cli.runs import execute_runs
from pipeline_defs.build import build_defs, build_resources
from pipeline_defs.instance import open_instance
from resources.common.settings import Settings
from resources.registry.bundled_registry import BundledRegistry
from resources.warehouse.session import set_variables
from resources.warehouse.table_store import TableStore

AS_OF = "2020-07-20"
DEMO_SECONDS, DEMO_GB, FEATURES_SECONDS = 180, 4, 15


def main() -> None:
    with TemporaryDirectory() as folder:
        settings = Settings(**{**vars(Settings.from_env()), "data": Path(folder)})
        whole_run(settings)
        steps_of_features(settings)
        scoring(settings)


def whole_run(settings: Settings) -> None:
    """Time and memory of the runs of `crates demo`."""
    started = time.monotonic()
    with open_instance(settings) as instance:
        plan = demo.plan(BundledRegistry(folder=str(settings.registry)).newest().key)
        execute_runs(build_defs(settings), instance, plan, Console(file=sys.stderr))
    report("whole run", time.monotonic() - started, DEMO_SECONDS, "s")
    report("peak memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, DEMO_GB, "GB")


def steps_of_features(settings: Settings) -> None:
    """Each step of `features` for the newest date, and the same edges in pandas."""
    resources = build_resources(settings)
    with resources.sessions.open() as con:
        set_variables(con, as_of=AS_OF)
        attach_registry(con, resources.store, AS_OF)
        set_as_of(con, AS_OF)
        total = 0.0
        for step in STEPS:
            started = time.monotonic()
            run_step(con, step)
            seconds = time.monotonic() - started
            total += seconds
            print(f"  {step.path.name:<24} {seconds:6.2f} s")
        report("features, all steps", total, FEATURES_SECONDS, "s")
        started = time.monotonic()
        con.execute("select count(*) from built_edges_at('instants') where instant_name = 'now'").fetchall()
        report("dependency edges, SQL", time.monotonic() - started, in_pandas(resources.store), "s in pandas")


def in_pandas(store: TableStore) -> float:
    """Seconds that pandas takes for the dependency edges of the newest versions that are not yanked."""
    started = time.monotonic()
    versions = pq.read_table(store.require("versions", AS_OF).path).to_pandas()
    dependencies = pq.read_table(store.require("dependencies", AS_OF).path).to_pandas()
    newest = versions[~versions["yanked"]].sort_values("version_key").groupby("crate_id").tail(1)
    edges = dependencies[dependencies["kind"] != "dev"].merge(
        newest[["id", "crate_id"]], left_on="version_id", right_on="id", suffixes=("", "_of")
    )
    edges[["crate_id", "crate_id_of"]].drop_duplicates()
    return time.monotonic() - started


def report(name: str, value: float, limit: float, unit: str) -> None:
    print(f"{name:<26} {value:6.2f}, {value / limit:.2f} of {limit:.2f} {unit}")


if __name__ == "__main__":
    main()
