"""The `events` table."""

from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from assets.partitions import SNAPSHOT_PARTITIONS
from assets.point_in_time import single_origin
from assets.registry.crates import crates
from assets.registry.dependencies import dependencies
from assets.registry.versions import versions
from assets.schemas.registry import EVENTS
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from resources.common.errors import BadInput
from resources.crates_io.events import EVENTS as FOUND_EVENTS
from resources.crates_io.events import LAST_READS, find_changes, replay_events
from resources.crates_io.index import CratesIoIndex, Feeds, FileState, IndexUpdate
from resources.registry.bundled_registry import BundledRegistry
from resources.registry.source import RegistrySource
from resources.warehouse.session import first_row, run_script, view

# The feeds do not list yanks. The crates with the most dependents are requested every time (a small request each),
# because a yank of one of them breaks the most builds.
ALWAYS_REQUESTED = 500


@table_asset(
    EVENTS,
    group="registry",
    deps=[crates, versions, dependencies],
    kinds={"sql", "duckdb"},
    partitions=SNAPSHOT_PARTITIONS,
)
def events(context: BuildContext, source: RegistrySource, index: CratesIoIndex) -> pa.Table:
    """The changes in the index since the newest snapshot. Unchanged index files change nothing.

    The index is read for the crates in the feeds since the snapshot, the crates with the most dependents, the crates
    that new versions depend on, and all crates that were read before. A newer snapshot starts without events.
    """
    base, taken_at = _base(context, source)
    rows, states = _earlier(context, index, base)
    feeds = index.feeds(taken_at)
    updates: list[IndexUpdate] = []
    requested: set[str] = set()
    names = {*states, *feeds.names, *_most_built_on(context)}
    while names:
        updates.append(index.fetch(sorted(names), states))
        rows = _merged(context, rows, updates[-1], {name: states.get(name) for name in names}, taken_at)
        states, requested = updates[-1].states, requested | names
        names = _unknown_dependencies(context, rows) - requested
    context.origin = index.save_states(base, states)
    _report(context, feeds, updates, taken_at)
    return rows


def _base(context: BuildContext, source: RegistrySource) -> tuple[str, datetime]:
    """Creates views of the newest snapshot's tables; returns its hash and time. Raises BadInput."""
    if isinstance(source, BundledRegistry):
        raise BadInput("the bundled registry never changes and has no events: set CRATES_SOURCE=crates.io")
    newest = context.store.partitions("snapshots")[-1:]
    if newest != [context.key]:
        raise BadInput(f"events start at the newest snapshot ({newest or 'none'}), not at {context.key}")
    tables = ("snapshots", "crates", "versions", "dependencies")
    origin = single_origin(context.store, context.key, tables)
    for table in tables:
        view(context.con, context.store, table, context.key)
    taken_at = first_row(context.con, "select taken_at from snapshots")
    assert taken_at, "a snapshot has one row"
    return origin, taken_at[0]


def _earlier(context: BuildContext, index: CratesIoIndex, base: str) -> tuple[pa.Table, dict[str, FileState]]:
    """The published events since this snapshot and the states of their index files; both empty if one is missing."""
    published = context.store.find(EVENTS.name, context.key)
    origin = published.origin if published else None
    states = index.load_states(base, origin)
    index.remove_old_states(origin)
    if published is None or states is None:
        return EVENTS.arrow.empty_table(), {}
    return pq.read_table(published.path), states


def _most_built_on(context: BuildContext) -> set[str]:
    """The published names of the crates with the most dependents."""
    query = (SQL / "shared" / "most_built_on.sql").read_text()
    return {name for (name,) in context.con.execute(query, {"most": ALWAYS_REQUESTED}).fetchall()}


def _merged(
    context: BuildContext, rows: pa.Table, update: IndexUpdate, before: dict[str, FileState | None], taken_at: datetime
) -> pa.Table:
    """The events so far and those of an update; `before` has the previous state of each crate's file."""
    con = context.con
    reads = [{"name": name, "read_at": max(s.read_at, taken_at) if s else taken_at} for name, s in before.items()]
    inputs = {
        "earlier_events": rows,
        "index_versions": update.versions,
        "index_dependencies": update.dependencies,
        "index_reads": pa.Table.from_pylist(reads, LAST_READS),
    }
    for name, table in inputs.items():
        con.register(name, table)
    con.execute((SQL / "shared" / "index_update.sql").read_text())
    base, earlier, last_reads, versions, dependencies = (
        con.table(name).to_arrow_table()
        for name in ("base_states", "event_states", "crate_reads", "crate_versions", "crate_dependencies")
    )
    known = replay_events(con, base, earlier.cast(FOUND_EVENTS))
    changes = find_changes(con, known, last_reads, versions, dependencies, update.read_at)
    con.register("found_events", changes.events)
    con.register("found_versions", changes.versions)
    con.register("found_dependencies", changes.dependencies)
    return run_script(con, SQL / "events.sql")


def _unknown_dependencies(context: BuildContext, rows: pa.Table) -> set[str]:
    """The crates that new versions depend on and that are neither in the snapshot nor in the events."""
    context.con.register("events", rows)
    return {
        name for (name,) in context.con.execute((SQL / "shared" / "unknown_dependencies.sql").read_text()).fetchall()
    }


def _report(context: BuildContext, feeds: Feeds, updates: list[IndexUpdate], taken_at: datetime) -> None:
    """Reports the numbers of requests and rejected lines to the UI, and logs what was rejected or missing."""
    lines = [line for update in updates for line in update.rejected]
    missing = [name for update in updates for name in update.missing]
    context.report(
        crates_requested=sum(update.requested for update in updates),
        files_fetched=sum(update.changed for update in updates),
        rejected_lines=len(lines),
        crates_missing=len(missing),
    )
    if lines:
        context.notes["first_rejected_line"] = f"{lines[0].name}, line {lines[0].line}: {lines[0].reason}"
    for line in lines:
        context.log.warning(f"index file of {line.name}, line {line.line} is skipped: {line.reason}")
    for item in feeds.rejected:
        context.log.warning(f"item {item.item} of a feed is skipped: {item.reason}")
    if missing:
        context.log.warning(f"the index does not have {', '.join(missing)}: deleted, or not added yet")
    if feeds.complete_since and feeds.complete_since > taken_at:
        context.report(hours_not_in_feeds=round((feeds.complete_since - taken_at).total_seconds() / 3600, 1))
        context.log.warning(
            f"the feeds are complete since {feeds.complete_since} only: publications between the snapshot ({taken_at}) "
            "and that time may be missing until the next snapshot"
        )
