"""How every table is an asset: its description, columns and checks in the UI, and errors as Dagster failures."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import duckdb
from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    BackfillPolicy,
    Failure,
    FreshnessPolicy,
    MaterializeResult,
    MetadataValue,
    PartitionsDefinition,
    RetryPolicy,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
    asset,
)

from assets.partitions import LATEST
from assets.preview import first_rows, markdown
from assets.schemas import TABLES
from assets.table_build import BASE_RESOURCES, BuildResult, TableBuilder
from resources.common.errors import BadInput, CannotWrite, SourceUnreachable
from resources.warehouse import contracts
from resources.warehouse.parquet import Rows
from resources.warehouse.schema import Table
from resources.warehouse.table_store import PublishedPartition

OWNER = "team:crates"
BUILDERS: dict[str, TableBuilder] = {}


def table_asset(
    table: Table,
    *,
    group: str,
    deps: Sequence[Any],
    kinds: set[str],
    partitions: PartitionsDefinition | None,
    freshness: FreshnessPolicy | None = None,
    retries: RetryPolicy | None = None,
) -> Callable[[Callable[..., Rows]], AssetsDefinition]:
    """Makes an asset of a function that returns a table's rows for one partition.

    The function takes a BuildContext and, by name, the resources that it needs: `def owners(context, source)`.
    """

    def wrap(build: Callable[..., Rows]) -> AssetsDefinition:
        builder = BUILDERS[table.name] = TableBuilder(table, build)

        @asset(
            name=table.name,
            group_name=group,
            deps=deps,
            kinds={*kinds, "parquet"},
            owners=[OWNER],
            description=f"{table.grain}\n\n{inspect.getdoc(build) or ''}",
            partitions_def=partitions,
            backfill_policy=BackfillPolicy.single_run() if partitions else None,
            metadata={
                "dagster/column_schema": _column_schema(table),
                "dagster/table_name": f"catalog.main.{table.name}",
            },
            check_specs=[
                AssetCheckSpec(name, asset=table.name, blocking=True, description=_CHECKS[name])
                for name in contracts.names(table)
            ],
            required_resource_keys={*BASE_RESOURCES, *builder.resources},
            freshness_policy=freshness,
            retry_policy=retries,
        )
        def run(context: AssetExecutionContext) -> Iterator[AssetCheckResult | MaterializeResult]:
            worst: dict[str, contracts.ContractResult] = {}
            for key in context.partition_keys if partitions else [LATEST]:
                built = _run_partition(context, BUILDERS[table.name], key, partitions is not None)
                worst |= {o.name: o for o in built.outcomes if o.name not in worst or not o.passed}
                if built.published is None:
                    yield from map(_check_result, worst.values())
                    broken = "; ".join(f"{o.name}: {o.message}" for o in built.outcomes if not o.passed)
                    raise Failure(
                        f"{table.name} {key} was not published, and is as it was before: {broken}", allow_retries=False
                    )
            yield MaterializeResult(check_results=[_check_result(o) for o in worst.values()])

        return run

    return wrap


def _run_partition(context: AssetExecutionContext, builder: TableBuilder, key: str, partitioned: bool) -> BuildResult:
    """Builds one partition, makes it visible to SQL users and reports it to the UI."""
    name, resources = builder.table.name, context.resources
    try:
        built = builder.run(key, resources, context.log)
        if built.published:
            resources.catalog.rebuild(resources.store, TABLES)
    except (BadInput, CannotWrite) as error:
        raise Failure(f"{name} {key}: {error}", allow_retries=False) from error
    except SourceUnreachable as error:
        raise Failure(f"{name} {key}: {error}") from error
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        fix = f"free space or memory (CRATES_DATA, CRATES_MEMORY); {name} is as it was before"
        raise Failure(f"{name} {key}: DuckDB could not continue: {error}: {fix}", allow_retries=False) from error
    if built.published:
        context.log.info(f"{name} {key}: {built.published.rows:,} rows, {built.published.bytes:,} bytes")
        metadata = _metadata(built, built.published)
        context.add_asset_metadata(metadata, partition_key=key if partitioned else None)
    return built


def _metadata(built: BuildResult, published: PublishedPartition) -> dict[str, Any]:
    """What the UI shows and plots."""
    return {
        "dagster/row_count": published.rows,
        "dagster/uri": published.path.as_uri(),
        "bytes": published.bytes,
        "seconds": round(built.seconds, 2),
        **built.context.metrics,
        **{name: MetadataValue.md(text) for name, text in built.context.notes.items()},
        "preview": MetadataValue.md(markdown(first_rows(published.path))),
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


def _check_result(outcome: contracts.ContractResult) -> AssetCheckResult:
    return AssetCheckResult(
        check_name=outcome.name,
        passed=outcome.passed,
        description=outcome.message,
        metadata={"violations": outcome.violations},
    )


_CHECKS = {
    "not_null": "Every column that is declared not null has a value in every row.",
    "unique_key": "No two rows share the key.",
    "foreign_keys": "What a row refers to exists in the same snapshot.",
    "accepted_values": "Columns with a closed set of values have no other value.",
    "not_after_snapshot": "No date is after the snapshot.",
    "row_count": "The table has not lost more rows since the previous partition than deletions explain.",
}
