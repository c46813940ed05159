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
from resources.crates_io.events import EVENTS as FOUND
from resources.crates_io.events import LOOKS, compare, known_from
from resources.crates_io.index import CratesIoIndex, Feeds, Look, Seen
from resources.registry.bundled_registry import BundledRegistry
from resources.registry.source import RegistrySource
from resources.warehouse.session import first_row, run_script, view

# Yanks are in no feed. The crates that most build on are looked at every time: a small request each, and a yank of
# one of them is what breaks most builds.
MOST_BUILT_ON = 500


@table_asset(
    EVENTS,
    group="registry",
    deps=[crates, versions, dependencies],
    kinds={"sql", "duckdb"},
    partitions=SNAPSHOT_PARTITIONS,
)
def events(context: BuildContext, source: RegistrySource, index: CratesIoIndex) -> pa.Table:
    """What the index tells that the newest snapshot does not know. The same answers again change nothing.

    Looked at are the crates that the feeds named since the snapshot, those that most build on, those that new versions
    depend on, and whatever was looked at before. A newer snapshot begins with none.
    """
    base, taken_at = _base(context, source)
    rows, seen = _earlier(context, index, base)
    feeds = index.feeds(taken_at)
    looks: list[Look] = []
    asked: set[str] = set()
    wanted = {*seen, *feeds.names, *_most_built_on(context)}
    while wanted:
        looks.append(index.look(sorted(wanted), seen))
        rows = _merged(context, rows, looks[-1], {name: seen.get(name) for name in wanted}, taken_at)
        seen, asked = looks[-1].seen, asked | wanted
        wanted = _unknown_dependencies(context, rows) - asked
    context.origin = index.keep(base, seen)
    _tell(context, feeds, looks, taken_at)
    return rows


def _base(context: BuildContext, source: RegistrySource) -> tuple[str, datetime]:
    """Makes the snapshot that events are counted from visible; returns its hash and instant. Raises BadInput."""
    if isinstance(source, BundledRegistry):
        raise BadInput("the bundled registry is of the past and has no events: set CRATES_SOURCE=crates.io")
    newest = context.store.partitions("snapshots")[-1:]
    if newest != [context.key]:
        raise BadInput(f"events are counted from the newest snapshot ({newest or 'none'}), not from {context.key}")
    tables = ("snapshots", "crates", "versions", "dependencies")
    origin = single_origin(context.store, context.key, tables)
    for table in tables:
        view(context.con, context.store, table, context.key)
    taken_at = first_row(context.con, "select taken_at from snapshots")
    assert taken_at, "a snapshot has one row"
    return origin, taken_at[0]


def _earlier(context: BuildContext, index: CratesIoIndex, base: str) -> tuple[pa.Table, dict[str, Seen]]:
    """The events since this snapshot and the state of the index files that they were read from, if they are here."""
    published = context.store.find(EVENTS.name, context.key)
    origin = published.origin if published else None
    seen = index.kept(base, origin)
    index.sweep(origin)
    if published is None or seen is None:
        return EVENTS.arrow.empty_table(), {}
    return pq.read_table(published.path), seen


def _most_built_on(context: BuildContext) -> set[str]:
    """The published names of the crates that most others build with."""
    query = (SQL / "shared" / "most_built_on.sql").read_text()
    return {name for (name,) in context.con.execute(query, {"most": MOST_BUILT_ON}).fetchall()}


def _merged(
    context: BuildContext, rows: pa.Table, look: Look, before: dict[str, Seen | None], taken_at: datetime
) -> pa.Table:
    """The events so far and those that a look adds; `before` has when each crate was looked at last."""
    con = context.con
    looks = [{"name": name, "looked_at": max(s.seen_at, taken_at) if s else taken_at} for name, s in before.items()]
    given = {
        "earlier_events": rows,
        "looked_versions": look.versions,
        "looked_dependencies": look.dependencies,
        "looked_at": pa.Table.from_pylist(looks, LOOKS),
    }
    for name, table in given.items():
        con.register(name, table)
    con.execute((SQL / "shared" / "look.sql").read_text())
    base, states, looks, versions, dependencies = (
        con.table(name).to_arrow_table()
        for name in ("base_states", "event_states", "crate_looks", "crate_versions", "crate_dependencies")
    )
    news = compare(con, known_from(con, base, states.cast(FOUND)), looks, versions, dependencies, look.seen_at)
    con.register("found_events", news.events)
    con.register("found_versions", news.versions)
    con.register("found_dependencies", news.dependencies)
    return run_script(con, SQL / "events.sql")


def _unknown_dependencies(context: BuildContext, rows: pa.Table) -> set[str]:
    """Crates that new versions depend on and that are neither in the snapshot nor among the events."""
    context.con.register("events", rows)
    return {
        name for (name,) in context.con.execute((SQL / "shared" / "unknown_dependencies.sql").read_text()).fetchall()
    }


def _tell(context: BuildContext, feeds: Feeds, looks: list[Look], taken_at: datetime) -> None:
    """What was asked, and what could not be read: in the UI, and in words in the log."""
    lines = [line for look in looks for line in look.rejected]
    gone = [name for look in looks for name in look.gone]
    context.report(
        crates_looked_at=sum(look.asked for look in looks),
        files_fetched=sum(look.changed for look in looks),
        rejected_lines=len(lines),
        crates_gone=len(gone),
    )
    if lines:
        context.notes["first_rejected_line"] = f"{lines[0].name}, line {lines[0].line}: {lines[0].reason}"
    for line in lines:
        context.log.warning(f"index file of {line.name}, line {line.line} is passed over: {line.reason}")
    for item in feeds.rejected:
        context.log.warning(f"item {item.item} of a feed is passed over: {item.reason}")
    if gone:
        context.log.warning(f"the index does not have {', '.join(gone)}: deleted, or not there yet")
    if feeds.complete_since and feeds.complete_since > taken_at:
        context.report(hours_not_in_feeds=round((feeds.complete_since - taken_at).total_seconds() / 3600, 1))
        context.log.warning(
            f"the feeds are complete since {feeds.complete_since} only: what was published between the snapshot "
            f"({taken_at}) and then may be missing until the next snapshot"
        )
