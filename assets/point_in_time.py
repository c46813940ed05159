"""The snapshot that an as-of date is computed from, and whether the source knows that date exactly."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import duckdb

from assets.table_build import SQL
from resources.common.errors import BadInput
from resources.warehouse.session import first_row, set_variables, view
from resources.warehouse.table_store import TableStore

REGISTRY_TABLES = ("crates", "versions", "yanks", "dependencies", "owners", "downloads", "advisories")


def known_at(as_of: str) -> datetime:
    """The last instant whose facts count for an as-of date: the end of the day before (UTC). Raises BadInput."""
    try:
        return datetime.combine(date.fromisoformat(as_of), datetime.min.time()) - timedelta(seconds=1)
    except ValueError as error:
        raise BadInput(f"as-of date {as_of!r} is not a date: write it as 2020-07-20") from error


def snapshot_at_or_after(store: TableStore, wanted: str) -> str:
    """The earliest snapshot that can know a date: deletions remove facts from later ones. Raises BadInput."""
    known_at(wanted)  # raises for a key that is not a date
    snapshots = store.partitions("snapshots")
    later = [s for s in snapshots if s >= wanted]
    if not later:
        newest = snapshots[-1] if snapshots else "none"
        raise BadInput(
            f"as-of date {wanted} is after the newest snapshot ({newest}): "
            "materialize the registry tables of a snapshot at or after it first"
        )
    return later[0]


def single_origin(store: TableStore, snapshot: str, tables: Sequence[str]) -> str:
    """The hash of the source state that all these tables were loaded from. Raises BadInput if they differ."""
    origins = {store.require(table, snapshot).origin or "" for table in tables}
    if len(origins) > 1:
        raise BadInput(
            f"the registry tables of {snapshot} were loaded from different states of the source, and their ids do not "
            "match: run load_snapshot for it again"
        )
    return origins.pop()


def attach_registry(con: duckdb.DuckDBPyConnection, store: TableStore, snapshot: str) -> None:
    """Creates views of the registry tables of a snapshot, and the macros that query them as of an instant."""
    single_origin(store, snapshot, REGISTRY_TABLES)
    for table in (*REGISTRY_TABLES, "snapshots"):
        view(con, store, table, snapshot)
    known = first_row(con, "select tables from snapshots")
    set_variables(con, tables=known[0] if known else [])
    con.execute((SQL / "shared" / "graph_at.sql").read_text())


def set_as_of(con: duckdb.DuckDBPyConnection, as_of: str) -> None:
    """Sets `known_at`. Raises BadInput where the source does not know exactly what existed then."""
    instant = known_at(as_of)
    set_variables(con, known_at=instant)
    first = first_row(con, "select min(created_at) from versions")
    if not first or first[0] is None or first[0] > instant:
        raise BadInput(f"as-of date {as_of} is before the first version of the registry ({first and first[0]})")
    gap = first_row(con, (SQL / "shared" / "gap_at.sql").read_text())
    if gap:
        raise BadInput(
            f"as-of date {as_of}: the source does not know exactly which versions existed between {gap[0]} and "
            f"{gap[1]} (UTC); choose a date outside"
        )
