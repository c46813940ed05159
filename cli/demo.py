"""`make demo`: the whole DAG on the source's registry, then the answer in words.

Each line of PLAN is a Dagster run, kept with its history in the instance under the data folder.
"""

import os
import sys
import time

from dagster import DagsterInstance, Definitions, ExecuteInProcessResult
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.answer import print_answer
from pipeline_defs.build import build_defs
from pipeline_defs.instance import PID_TAG, open_instance, register_dates
from pipeline_defs.jobs import ALL_SHARDS, enrich_texts
from resources.common.errors import BadInput, CannotWrite
from resources.common.settings import Settings
from resources.registry.bundled_registry import BundledRegistry

# what every target learns from, is tested on and is asked of: dates at which the bundled facts say exactly what existed
# (sample/README.md)
AS_OF = ("2019-11-11", "2020-03-26", "2020-04-25", "2020-06-07", "2020-07-20")
# what ties a run of the command line to its job in the UI (workspace.yaml names the location)
SHOWN_WITH_JOB = {".dagster/repository": "__repository__@crates"}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def plan(snapshot: str, as_of: tuple[str, ...] = AS_OF) -> list[tuple[str, str | None]]:
    """The runs, in order: job and date. `enrich_texts` has no date, and takes all its shards."""
    return [
        ("load_snapshot", snapshot),
        ("enrich_texts", None),
        *[("compute_features", date) for date in as_of],
        ("train_predictor", None),
        ("score_crates", as_of[-1]),
    ]


def run_plan(
    defs: Definitions, instance: DagsterInstance, runs: list[tuple[str, str | None]], console: Console
) -> bool:
    """Runs the plan with a progress bar; stops at the first failure and says what to mend."""
    register_dates(instance, {key for _, key in runs if key})
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(runs))
        for job, key in runs:
            progress.update(task, description=f"{job} {key or ''}")
            started = time.monotonic()
            result = defs.resolve_job_def(job).execute_in_process(
                instance=instance,
                partition_key=key,
                run_config=QUIET,
                tags={PID_TAG: str(os.getpid()), **SHOWN_WITH_JOB, **(ALL_SHARDS if job == enrich_texts.name else {})},
                raise_on_error=False,
            )
            if not result.success:
                console.print(f"[red]{job} {key or ''} failed:[/red] {escape(_why(result))}")
                return False
            progress.advance(task)
            if not console.is_terminal:
                console.print(f"{job} {key or ''}: {time.monotonic() - started:.1f} s")
    return True


def _why(result: ExecuteInProcessResult) -> str:
    """What a failed run says of itself: our own words where the input is at fault, else the error."""
    failures = [e.step_failure_data for e in result.filter_events(lambda e: e.is_step_failure)]
    return "; ".join(
        (f.user_failure_data.description if f.user_failure_data else None) or (f.error.to_string() if f.error else "")
        for f in failures
    )


def main() -> int:
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 110)
    settings = Settings.from_env()
    try:
        started = time.monotonic()
        source = BundledRegistry(folder=str(settings.registry))
        runs = plan(source.newest().key)
        with open_instance(settings) as instance:
            if not run_plan(build_defs(settings), instance, runs, console):
                return 1
        print_answer(settings, console, time.monotonic() - started)
    except (BadInput, CannotWrite) as error:
        console.print(f"[red]error:[/red] {escape(str(error))}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
