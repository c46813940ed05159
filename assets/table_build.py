"""How one partition of a table is built: compute the rows, judge the contracts, publish. Knows no Dagster.

What a table contains belongs in its own module and its `.sql` file.
"""

import inspect
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from resources.cache import CacheSettings
from resources.cache.metrics import cache_table, publish_metrics
from resources.warehouse import contracts
from resources.warehouse.catalog import Catalog
from resources.warehouse.parquet import Rows
from resources.warehouse.schema import Table
from resources.warehouse.session import Sessions, set_variables
from resources.warehouse.table_store import PublishedPartition, TableStore, table_tag

SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class BuildResources:
    """What every table is built with. What one table needs besides is a parameter of its own function."""

    store: TableStore
    catalog: Catalog
    sessions: Sessions
    cache: CacheSettings


BASE_RESOURCES = tuple(BuildResources.__dataclass_fields__)


@dataclass
class BuildContext:
    """What an asset's function gets for one partition, with a fresh DuckDB session; and what it reports."""

    key: str
    con: duckdb.DuckDBPyConnection
    store: TableStore
    log: logging.Logger
    metrics: dict[str, float | int | str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    origin: str | None = None  # hash of the source that the rows come from

    def report(self, **metrics: float | int | str) -> None:
        """Numbers that the UI plots over partitions."""
        self.metrics.update(metrics)


@dataclass(frozen=True)
class BuildResult:
    """One built partition; `published` is None if a contract was broken."""

    outcomes: list[contracts.ContractResult]
    published: PublishedPartition | None
    context: BuildContext
    seconds: float

    @property
    def rows(self) -> pa.Table:
        """The rows as published."""
        assert self.published, "nothing was published"
        return pq.read_table(self.published.path)


@dataclass(frozen=True)
class TableBuilder:
    """A table and the function that returns its rows for one partition.

    The function takes a BuildContext and, by name, the resources that it needs.
    """

    table: Table
    build: Callable[..., Rows]

    @property
    def resources(self) -> tuple[str, ...]:
        """The names of the resources that the function takes."""
        return tuple(inspect.signature(self.build).parameters)[1:]

    def run(self, key: str, resources: Any, log: logging.Logger) -> BuildResult:
        """Builds one partition and publishes it if every contract holds.

        `resources` has what `BASE_RESOURCES` and the function name, as attributes. Raises BadInput, CannotWrite.
        """
        base = BuildResources(*(getattr(resources, name) for name in BASE_RESOURCES))
        started, cache = time.monotonic(), base.cache.open()
        cached_before = cache.stats()
        with base.sessions.open() as con:
            set_variables(con, as_of=key)
            context = BuildContext(key, con, base.store, log)
            built = self.build(context, **{name: getattr(resources, name) for name in self.resources})
            with base.store.candidate(self.table, key, built) as candidate:
                rows = con.from_parquet(str(candidate.path))
                rows_before = _rows_before(base.store, self.table.name, key)
                outcomes = contracts.check(con, self.table, rows, key, rows_before)
                whole = all(outcome.passed for outcome in outcomes)
                published = candidate.publish(context.origin) if whole else None
        if published:
            cache.invalidate_tags(table_tag(self.table.name))
        if cache_use := cache_table(cached_before, cache.stats()):
            context.notes["cache"] = cache_use
        publish_metrics(cache, base.cache.folder)
        return BuildResult(outcomes, published, context, time.monotonic() - started)


def _rows_before(store: TableStore, table: str, key: str) -> int | None:
    earlier = [partition for partition in store.partitions(table) if partition < key]
    return store.require(table, earlier[-1]).rows if earlier else None
