"""Derives events (publications, yanks and un-yanks) from two readings of the index.

The index has the current state, not events: a yank happened between the previous and the current reading, and gets the
time of the current one. An event is known from `known_at`, the time of the reading, whatever its own time is.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from resources.common.errors import BadInput
from resources.crates_io.index_format import DEPENDENCIES
from resources.registry.columns import COLUMNS
from resources.warehouse.session import set_variables

EVENTS = pa.schema(
    {
        "name": pa.string(),
        "num": pa.string(),
        "kind": pa.string(),  # publish, yank or unyank
        "occurred_at": pa.timestamp("us"),  # if not exact, the time of the reading
        "occurred_at_exact": pa.bool_(),
        "occurred_after": pa.timestamp("us"),  # lower bound; null if the crate was never read before
        "known_at": pa.timestamp("us"),
    }
)
VERSION_STATES = pa.schema({"name": pa.string(), "num": pa.string(), "yanked": pa.bool_()})
LAST_READS = pa.schema({"name": pa.string(), "read_at": pa.timestamp("us")})
NEW_VERSIONS = pa.schema(
    COLUMNS["versions"] | {"rust_version": pa.string(), "checksum": pa.string(), "known_at": pa.timestamp("us")}
)

_FIND_CHANGES = (Path(__file__).parent / "events.sql").read_text()
_REPLAY = """
    select name, num,
        coalesce(arg_max(kind, known_at) filter (kind <> 'publish') = 'yank', any_value(yanked), false) as yanked
    from base
    full join events using (name, num)
    group by name, num
    order by name, num
"""


@dataclass(frozen=True)
class Changes:
    """Events (EVENTS), and the rows of new versions (NEW_VERSIONS, DEPENDENCIES)."""

    events: pa.Table
    versions: pa.Table
    dependencies: pa.Table


def find_changes(
    con: duckdb.DuckDBPyConnection,
    known: pa.Table,
    last_reads: pa.Table,
    versions: pa.Table,
    dependencies: pa.Table,
    read_at: datetime,
) -> Changes:
    """The changes in the index files of some crates, read at `read_at` (UTC, without a time zone).

    `versions` and `dependencies` are those of `parse_index_file`; `known` (VERSION_STATES) and `last_reads`
    (LAST_READS, one row per crate) may have more crates. A known version that is missing from its file gives no event,
    and unchanged files give none. Leaves nothing in `con`. Raises BadInput if a crate was read later than `read_at`.
    """
    latest = pc.max(last_reads["read_at"]).as_py()
    if latest is not None and latest >= read_at:
        raise BadInput(
            f"the index was read at {latest} (UTC), which is after the current time {read_at}: set the clock"
        )
    with con.cursor() as cursor:
        set_variables(cursor, read_at=read_at)
        inputs = {"known": known, "last_reads": last_reads, "versions": versions, "dependencies": dependencies}
        for name, rows in inputs.items():
            cursor.register(name, rows)
        cursor.execute(_FIND_CHANGES)
        return Changes(
            events=cursor.table("events").to_arrow_table().cast(EVENTS),
            versions=cursor.table("new_versions").to_arrow_table().cast(NEW_VERSIONS),
            dependencies=cursor.table("new_dependencies").to_arrow_table().cast(DEPENDENCIES),
        )


def replay_events(con: duckdb.DuckDBPyConnection, base: pa.Table, events: pa.Table) -> pa.Table:
    """The state (VERSION_STATES) after `events`, starting from `base`. Order and duplicates of events do not matter."""
    with con.cursor() as cursor:
        cursor.register("base", base)
        cursor.register("events", events)
        return cursor.sql(_REPLAY).to_arrow_table().cast(VERSION_STATES)
