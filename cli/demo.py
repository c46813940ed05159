"""`crates demo`: the whole pipeline on the bundled registry, then the answer in words."""

import time
from dataclasses import replace

from cli.answer import print_answer
from cli.runs import PlannedRun, RunInputs, describe_skipped, execute_runs, missing_runs
from cli.terminal import console
from pipeline_defs.build import build_defs
from pipeline_defs.instance import open_instance
from resources.common.settings import BUNDLED, Settings
from resources.registry.bundled_registry import BundledRegistry
from resources.warehouse.table_store import TableStore

# the dates that the targets are trained on, tested on and scored for: at them the bundled facts are exact
# (sample/README.md)
AS_OF = ("2019-11-11", "2020-03-26", "2020-04-25", "2020-06-07", "2020-07-20")


def plan(snapshot: str, as_of: tuple[str, ...] = AS_OF) -> list[PlannedRun]:
    """The runs in order, each a job and its partition. `enrich_texts` has no date and covers all its shards."""
    return [
        ("load_snapshot", snapshot),
        ("enrich_texts", None),
        *[("compute_features", date) for date in as_of],
        ("train_predictor", None),
        ("score_crates", as_of[-1]),
    ]


def run_demo(settings: Settings, again: bool) -> None:
    """Executes the runs that are missing (`again`: all) and prints the answer. Raises BadInput, CannotWrite,
    CommandFailed."""
    started = time.monotonic()
    source = BundledRegistry(folder=str(settings.registry))
    snapshot = source.require(source.newest().key)
    execute_missing(replace(settings, source=BUNDLED), plan(snapshot.key), RunInputs.of(settings, snapshot), again)
    print_answer(settings, time.monotonic() - started)


def execute_missing(settings: Settings, runs: list[PlannedRun], inputs: RunInputs, again: bool) -> None:
    """Executes the runs of a plan that are missing, or all of them."""
    with open_instance(settings) as instance:
        defs = build_defs(settings)
        store = TableStore(root=str(settings.warehouse))
        missing = runs if again else missing_runs(defs, instance, store, runs, inputs)
        output = console()
        if skipped := describe_skipped(runs, missing):
            output.print(skipped)
        if missing:
            execute_runs(defs, instance, missing, output, inputs)
