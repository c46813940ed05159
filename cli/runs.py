"""Dagster runs in this process: skips what is up to date, shows progress, records an interrupted run as canceled."""

import hashlib
import logging
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from dagster import (
    AssetKey,
    AssetRecordsFilter,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    ExecuteInProcessResult,
    RunsFilter,
)
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from assets.partitions import ALL_SHARDS, LATEST, SHARD_PARTITIONS
from assets.schemas import TABLES
from cli.errors import CommandFailed
from cli.interrupts import is_interrupted
from cli.run_origin import NO_RETRY, link_next_run
from pipeline_defs.instance import process_tags, register_dates, register_snapshots
from pipeline_defs.jobs import enrich_texts, load_snapshot
from resources.common.settings import PROJECT, Settings
from resources.registry.source import Snapshot
from resources.warehouse.table_store import TableStore

PlannedRun: TypeAlias = "tuple[str, str | None]"  # job and partition key

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
INPUTS_TAG = ".dagster/crates_inputs"  # hash of what a run's tables are computed from
CODE = ("assets", "enrichment", "ml", "resources")
UNFINISHED = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]


@dataclass(frozen=True)
class RunInputs:
    """What the tables of a plan are computed from: a registry snapshot, the code and the language model."""

    snapshot: str
    model: str = ""
    code: str = field(default_factory=lambda: code_sha256())

    @classmethod
    def of(cls, settings: Settings, snapshot: Snapshot) -> "RunInputs":
        return cls(snapshot.sha256, f"{settings.model}@{settings.model_sha256}")

    def tag(self, job: str) -> str:
        """The value of INPUTS_TAG for a run of `job`: only enrichments depend on the language model."""
        parts = (self.snapshot, self.code, self.model if job == enrich_texts.name else "")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def code_sha256() -> str:
    """Hash of every file that decides what a table holds."""
    digest = hashlib.sha256()
    for package in CODE:
        for path in sorted((PROJECT / package).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(PROJECT)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def missing_runs(
    defs: Definitions, instance: DagsterInstance, store: TableStore, runs: list[PlannedRun], inputs: RunInputs
) -> list[PlannedRun]:
    """The runs of a plan whose tables are missing, have other inputs, or depend on a table that is missing."""
    missing: list[PlannedRun] = []
    for job, key in runs:
        # nothing is computed from enrichments; dates are independent of each other
        upstream = any(earlier not in (job, enrich_texts.name) for earlier, _ in missing)
        if upstream or not _is_up_to_date(defs, instance, store, (job, key), inputs.tag(job)):
            missing.append((job, key))
    return missing


def _is_up_to_date(
    defs: Definitions, instance: DagsterInstance, store: TableStore, run: PlannedRun, inputs_tag: str
) -> bool:
    """Whether the newest materialization of each of the run's assets has these inputs, and its table still exists."""
    job, key = run
    shards = SHARD_PARTITIONS.get_partition_keys()
    keys = [key] if key else shards if job == enrich_texts.name else [LATEST]
    for asset in defs.resolve_job_def(job).asset_layer.selected_asset_keys:
        name = asset.path[-1]
        partitioned = defs.resolve_assets_def(asset).partitions_def is not None
        for partition in keys if partitioned else [LATEST]:
            if name in TABLES and store.find(name, partition) is None:
                return False
            run_id = _newest_run(instance, asset, partition if partitioned else None)
            made_by = instance.get_run_by_id(run_id) if run_id else None
            if made_by is None or made_by.tags.get(INPUTS_TAG) != inputs_tag:
                return False
    return True


def _newest_run(instance: DagsterInstance, asset: AssetKey, partition: str | None) -> str | None:
    """The run that made the newest materialization of an asset's partition, if there is one."""
    wanted = AssetRecordsFilter(asset, asset_partitions=[partition] if partition else None)
    records = instance.fetch_materializations(wanted, limit=1).records
    return records[0].run_id if records else None


def execute_runs(
    defs: Definitions,
    instance: DagsterInstance,
    runs: list[PlannedRun],
    console: Console,
    inputs: RunInputs | None = None,
) -> None:
    """Executes runs in order, with a progress bar in a terminal and a line each elsewhere.

    Raises CommandFailed at the first that fails, with its reason, and KeyboardInterrupt after Ctrl-C.
    """
    register_snapshots(instance, {key for job, key in runs if key and job == load_snapshot.name})
    register_dates(instance, {key for job, key in runs if key and job != load_snapshot.name})
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}", markup=False),
    )
    # SQLAlchemy logs the interrupt of a connection that it closes
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=len(runs), message="")
        for job, key in runs:
            name = f"{job} {key or ''}".rstrip()
            bar.update(task, description=name, message="")
            started = time.monotonic()
            try:
                tags = {INPUTS_TAG: inputs.tag(job)} if inputs else {}
                result = _execute(defs, instance, (job, key), tags, lambda text: bar.update(task, message=text))
            finally:
                if is_interrupted():
                    _record_canceled(instance)
                    raise KeyboardInterrupt
            if not result.success:
                raise CommandFailed(f"{name} failed: {failure_reason(result)}")
            bar.advance(task)
            console.print(f"{name}: {time.monotonic() - started:.1f} s")


def _execute(
    defs: Definitions,
    instance: DagsterInstance,
    run: PlannedRun,
    tags: Mapping[str, str],
    on_message: Callable[[str], object],
) -> ExecuteInProcessResult:
    """Executes a run; `on_message` gets what its assets log, such as "maintenance: trained (1 of 5)"."""
    job, key = run
    run_id = str(uuid.uuid4())
    instance.add_event_listener(run_id, lambda e: None if e.is_dagster_event else on_message(e.user_message))
    link_next_run(instance, job)
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=key,
        run_config=QUIET,
        tags={**process_tags(), **NO_RETRY, **tags, **(ALL_SHARDS if job == enrich_texts.name else {})},
        raise_on_error=False,
        run_id=run_id,
    )


def failure_reason(result: ExecuteInProcessResult) -> str:
    """Why a run failed: the message of the project's own errors, or the last line of a traceback."""
    reasons = []
    for event in result.filter_events(lambda e: e.is_step_failure):
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            reasons.append(failure.user_failure_data.description)
        elif failure.error:
            reasons.append(f"{(failure.error.cause or failure.error).message.strip()} (`crates ui` has the traceback)")
    return "; ".join(reasons)


def _record_canceled(instance: DagsterInstance) -> None:
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave a run without an end
    try:
        for run in instance.get_runs(RunsFilter(tags=process_tags(), statuses=UNFINISHED)):
            instance.report_run_canceled(run, "interrupted (Ctrl-C)")
    finally:
        signal.signal(signal.SIGINT, handler)


def describe_skipped(all_runs: Iterable[PlannedRun], missing: Iterable[PlannedRun]) -> str:
    """A line about the runs that are skipped, or nothing."""
    total, left = len(list(all_runs)), len(list(missing))
    if left == total:
        return ""
    return f"{total - left} of {total} runs are up to date (`--again` runs them again)"
