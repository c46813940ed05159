"""How every table asset runs: build the rows, judge the contracts, publish, report.

What a table holds belongs in its own module and its `.sql` file, not here.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from dagster import (
    AllPartitionMapping,
    AssetCheckResult,
    AssetCheckSpec,
    AssetDep,
    AssetExecutionContext,
    AssetsDefinition,
    BackfillPolicy,
    DailyPartitionsDefinition,
    Failure,
    FreshnessPolicy,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
    asset,
)

from assets.preview import markdown
from assets.schemas import TABLES
from resources import contracts
from resources.catalog import Catalog
from resources.errors import BadInput, CannotWrite
from resources.registry_source import RegistrySource
from resources.schema import Table
from resources.session import Sessions, set_variables
from resources.table_store import Published, TableStore
from resources.tracking import Tracking

SQL = Path(__file__).parent / "sql"
OWNER = "team:crates"
# the first date whose registry the bundled facts support exactly
DATES = DailyPartitionsDefinition(start_date="2019-11-11")
ONLY = "latest"  # the partition key of a table that has one partition


def any_snapshot(table: AssetsDefinition) -> AssetDep:
    """A dependency on whichever snapshot can know the as-of date: not the one of the same date."""
    return AssetDep(table, partition_mapping=AllPartitionMapping())


def every_date(table: AssetsDefinition) -> AssetDep:
    """A dependency on all as-of dates together."""
    return AssetDep(table, partition_mapping=AllPartitionMapping())


@dataclass
class Inputs:
    """What an asset's function is given for one partition: a fresh DuckDB session, and how to reach the rest."""

    key: str
    con: duckdb.DuckDBPyConnection
    store: TableStore
    source: RegistrySource
    tracking: Tracking
    log: Any
    numbers: dict[str, float | int | str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def report(self, **numbers: float | int | str) -> None:
        """Numbers for the UI's plots over partitions."""
        self.numbers.update(numbers)


def table_asset(
    table: Table,
    *,
    group: str,
    deps: Sequence[Any],
    kinds: set[str],
    partitioned: bool = True,
    freshness: FreshnessPolicy | None = None,
) -> Callable[[Callable[[Inputs], pa.Table]], AssetsDefinition]:
    """Makes an asset of a function that returns a table's rows for one partition."""

    def wrap(build: Callable[[Inputs], pa.Table]) -> AssetsDefinition:
        @asset(
            name=table.name,
            group_name=group,
            deps=deps,
            kinds={*kinds, "parquet"},
            owners=[OWNER],
            description=f"{table.grain}\n\n{build.__doc__ or ''}",
            partitions_def=DATES if partitioned else None,
            backfill_policy=BackfillPolicy.single_run() if partitioned else None,
            metadata={
                "dagster/column_schema": _column_schema(table),
                "dagster/table_name": f"catalog.main.{table.name}",
            },
            check_specs=[
                AssetCheckSpec(name, asset=table.name, blocking=True, description=_CHECKS[name])
                for name in contracts.names(table)
            ],
            required_resource_keys={"store", "catalog", "sessions", "source", "tracking"},
            freshness_policy=freshness,
        )
        def run(context: AssetExecutionContext) -> Iterator[AssetCheckResult | MaterializeResult]:
            keys = list(context.partition_keys) if partitioned else [ONLY]
            outcomes: dict[str, contracts.Outcome] = {}
            for key in keys:
                for outcome in _run_partition(context, table, build, key, partitioned):
                    if outcome.name not in outcomes or not outcome.passed:
                        outcomes[outcome.name] = outcome
                broken = [o for o in outcomes.values() if not o.passed]
                if broken:
                    yield from map(_check_result, outcomes.values())
                    raise Failure(
                        f"{table.name} {key} was not published, and is as it was before: "
                        + "; ".join(f"{o.name}: {o.words}" for o in broken),
                        allow_retries=False,
                    )
            yield MaterializeResult(check_results=[_check_result(o) for o in outcomes.values()])

        return run

    return wrap


def _run_partition(
    context: AssetExecutionContext, table: Table, build: Callable[[Inputs], pa.Table], key: str, partitioned: bool
) -> list[contracts.Outcome]:
    """Builds, judges and, if every contract holds, publishes one partition."""
    resources = context.resources
    store: TableStore = resources.store
    started = time.monotonic()
    sessions: Sessions = resources.sessions
    catalog: Catalog = resources.catalog
    try:
        with sessions.open() as con:
            set_variables(con, as_of=key)
            inputs = Inputs(key, con, store, resources.source, resources.tracking, context.log)
            rows = build(inputs)
            outcomes = contracts.judge(con, table, rows, key, _rows_before(store, table.name, key))
        if all(o.passed for o in outcomes):
            published = store.publish(table, key, rows)
            catalog.rebuild(store, TABLES)
            seconds = round(time.monotonic() - started, 2)
            context.log.info(f"{table.name} {key}: {published.rows:,} rows, {published.bytes:,} bytes, {seconds} s")
            context.add_asset_metadata(
                _metadata(published, rows, seconds, inputs), partition_key=key if partitioned else None
            )
        return outcomes
    except (BadInput, CannotWrite) as error:
        raise Failure(f"{table.name} {key}: {error}", allow_retries=False) from error


def _rows_before(store: TableStore, table: str, key: str) -> int | None:
    earlier = [k for k in store.partitions(table) if k < key]
    return store.need(table, earlier[-1]).rows if earlier else None


def _metadata(published: Published, rows: pa.Table, seconds: float, inputs: Inputs) -> dict[str, Any]:
    return {
        "dagster/row_count": published.rows,
        "dagster/uri": published.path.as_uri(),
        "bytes": published.bytes,
        "seconds": seconds,
        "sha256": published.sha256,
        **inputs.numbers,
        **{name: MetadataValue.md(text) for name, text in inputs.notes.items()},
        "preview": MetadataValue.md(markdown(rows)),
    }


def _column_schema(table: Table) -> TableSchema:
    return TableSchema(
        columns=[
            TableColumn(
                c.name,
                c.type,
                description=c.text,
                constraints=TableColumnConstraints(nullable=c.nullable, unique=table.key == (c.name,)),
            )
            for c in table.columns
        ]
    )


def _check_result(outcome: contracts.Outcome) -> AssetCheckResult:
    return AssetCheckResult(
        check_name=outcome.name,
        passed=outcome.passed,
        description=outcome.words,
        metadata={"broken_rows": outcome.broken},
    )


_CHECKS = {
    "not_null": "Every column that is declared so has a value in every row.",
    "unique_key": "No two rows share the key.",
    "references_whole": "What a row refers to exists in the same snapshot.",
    "known_values": "Columns with a closed set of values have no other.",
    "inside_snapshot": "No date lies after the snapshot.",
    "row_count": "Not fewer rows than the partition before, within what deletions explain.",
}

__all__ = ["DATES", "ONLY", "OWNER", "SQL", "Inputs", "any_snapshot", "every_date", "table_asset"]
