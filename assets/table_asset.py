"""How every table asset runs: build the rows, judge the contracts, publish, report.

What a table holds belongs in its own module and its `.sql` file, not here.
"""

import inspect
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from dagster import (
    AllPartitionMapping,
    AssetCheckResult,
    AssetCheckSpec,
    AssetDep,
    AssetExecutionContext,
    AssetsDefinition,
    BackfillPolicy,
    DynamicPartitionsDefinition,
    Failure,
    FreshnessPolicy,
    MaterializeResult,
    MetadataValue,
    PartitionsDefinition,
    RetryPolicy,
    StaticPartitionsDefinition,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
    asset,
)

from assets.preview import first_rows, markdown
from assets.schemas import TABLES
from resources.cache.metrics import table as cache_table
from resources.cache.resource import CacheResource
from resources.common.errors import BadInput, CannotWrite, SourceUnreachable
from resources.crates_io.index import CratesIoIndex
from resources.language_model.language_model import LanguageModel
from resources.language_model.reply_journal import ReplyJournal
from resources.registry.source import RegistrySource
from resources.tracking import Tracking
from resources.warehouse import contracts
from resources.warehouse.catalog import Catalog
from resources.warehouse.schema import Table
from resources.warehouse.session import Sessions, set_variables
from resources.warehouse.table_store import Published, Rows, TableStore, tag_of

SQL = Path(__file__).parent / "sql"
OWNER = "team:crates"
# snapshot and as-of dates, as they are asked for: a range over them is one run, and the UI plots them and no gap
DATES = DynamicPartitionsDefinition(name="dates")
# the first digit of the sha256 of a crate's canonical name: what is enriched together, whatever the date
SHARDS = StaticPartitionsDefinition(list("0123456789abcdef"))
ONLY = "latest"  # the partition key of a table that has one partition


def all_partitions(table: AssetsDefinition) -> AssetDep:
    """A dependency on every date of a table: an as-of date reads whichever snapshot can know it, training all dates."""
    return AssetDep(table, partition_mapping=AllPartitionMapping())


@dataclass(frozen=True)
class Tools:
    """How everything is reached: the resources of a run."""

    store: TableStore
    catalog: Catalog
    sessions: Sessions
    source: RegistrySource
    tracking: Tracking
    index: CratesIoIndex
    language_model: LanguageModel
    journal: ReplyJournal
    cache: CacheResource

    NAMES = (
        "store",
        "catalog",
        "sessions",
        "source",
        "tracking",
        "index",
        "language_model",
        "journal",
        "cache",
    )

    @classmethod
    def of(cls, context: AssetExecutionContext) -> "Tools":
        return cls(*(getattr(context.resources, name) for name in cls.NAMES))


@dataclass
class Inputs:
    """What an asset's function is given for one partition: a fresh DuckDB session, and how to reach the rest."""

    key: str
    con: duckdb.DuckDBPyConnection
    tools: Tools
    log: logging.Logger
    numbers: dict[str, float | int | str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    origin: str | None = None  # hash of the source that the rows come from

    @property
    def store(self) -> TableStore:
        return self.tools.store

    def report(self, **numbers: float | int | str) -> None:
        """Numbers for the UI's plots over partitions."""
        self.numbers.update(numbers)


Build = Callable[[Inputs], Rows]


@dataclass(frozen=True)
class TableBuild:
    """A table and the function that builds its rows."""

    table: Table
    build: Build

    def run(self, key: str, tools: Tools, log: logging.Logger) -> "Built":
        """Builds one partition, judges it and publishes it if every contract holds. Raises BadInput, CannotWrite."""
        started, cache = time.monotonic(), tools.cache.open()
        cached_before = cache.stats()
        with tools.sessions.open() as con:
            set_variables(con, as_of=key)
            inputs = Inputs(key, con, tools, log)
            with tools.store.candidate(self.table, key, self.build(inputs)) as candidate:
                rows = con.from_parquet(str(candidate.path))
                rows_before = _rows_before(tools.store, self.table.name, key)
                outcomes = contracts.judge(con, self.table, rows, key, rows_before)
                whole = all(o.passed for o in outcomes)
                published = candidate.publish(inputs.origin) if whole else None
        if published:
            cache.invalidate_tags(tag_of(self.table.name))
        if told := cache_table(cached_before, cache.stats()):
            inputs.notes["cache"] = told
        tools.cache.tell()
        return Built(outcomes, published, inputs, time.monotonic() - started)


@dataclass(frozen=True)
class Built:
    """One partition as it came out; `published` is None if a contract was broken."""

    outcomes: list[contracts.Outcome]
    published: Published | None
    inputs: Inputs
    seconds: float

    @property
    def rows(self) -> pa.Table:
        """The rows as published."""
        assert self.published, "nothing was published"
        return pq.read_table(self.published.path)

    def metadata(self, published: Published) -> dict[str, Any]:
        """What the UI shows and plots."""
        return {
            "dagster/row_count": published.rows,
            "dagster/uri": published.path.as_uri(),
            "bytes": published.bytes,
            "seconds": round(self.seconds, 2),
            **self.inputs.numbers,
            **{name: MetadataValue.md(text) for name, text in self.inputs.notes.items()},
            "preview": MetadataValue.md(markdown(first_rows(published.path))),
        }


BUILDS: dict[str, TableBuild] = {}


def table_asset(
    table: Table,
    *,
    group: str,
    deps: Sequence[Any],
    kinds: set[str],
    partitions: PartitionsDefinition | None = DATES,
    freshness: FreshnessPolicy | None = None,
    retries: RetryPolicy | None = None,
) -> Callable[[Build], AssetsDefinition]:
    """Makes an asset of a function that returns a table's rows for one partition."""

    def wrap(build: Build) -> AssetsDefinition:
        BUILDS[table.name] = TableBuild(table, build)

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
            required_resource_keys=set(Tools.NAMES),
            freshness_policy=freshness,
            retry_policy=retries,
        )
        def run(context: AssetExecutionContext) -> Iterator[AssetCheckResult | MaterializeResult]:
            worst: dict[str, contracts.Outcome] = {}
            for key in context.partition_keys if partitions else [ONLY]:
                built = _run_partition(context, BUILDS[table.name], key, partitions is not None)
                worst |= {o.name: o for o in built.outcomes if o.name not in worst or not o.passed}
                if built.published is None:
                    yield from map(_check_result, worst.values())
                    broken = "; ".join(f"{o.name}: {o.words}" for o in built.outcomes if not o.passed)
                    raise Failure(
                        f"{table.name} {key} was not published, and is as it was before: {broken}", allow_retries=False
                    )
            yield MaterializeResult(check_results=[_check_result(o) for o in worst.values()])

        return run

    return wrap


def _run_partition(context: AssetExecutionContext, build: TableBuild, key: str, partitioned: bool) -> Built:
    """Runs one partition, shows it to SQL users and tells the UI."""
    name, tools = build.table.name, Tools.of(context)
    try:
        built = build.run(key, tools, context.log)
        if built.published:
            tools.catalog.rebuild(tools.store, TABLES)
    except (BadInput, CannotWrite) as error:
        raise Failure(f"{name} {key}: {error}", allow_retries=False) from error
    except SourceUnreachable as error:
        raise Failure(f"{name} {key}: {error}") from error
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        mend = f"free space or memory (CRATES_DATA, CRATES_MEMORY); {name} is as it was before"
        raise Failure(f"{name} {key}: DuckDB could not go on: {error}: {mend}", allow_retries=False) from error
    if built.published:
        context.log.info(f"{name} {key}: {built.published.rows:,} rows, {built.published.bytes:,} bytes")
        context.add_asset_metadata(built.metadata(built.published), partition_key=key if partitioned else None)
    return built


def _rows_before(store: TableStore, table: str, key: str) -> int | None:
    earlier = [k for k in store.partitions(table) if k < key]
    return store.need(table, earlier[-1]).rows if earlier else None


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
