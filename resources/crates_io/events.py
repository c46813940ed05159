"""What happened in the registry between two looks at its index: publications, yanks and yanks undone.

The index says what is, not what happened: a yank has the time it was seen, and lies after the look before. An event
counts from `known_at`, the time it was seen, whatever time it gives for itself.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from resources.common.errors import BadInput
from resources.crates_io.sparse_index import DEPENDENCIES
from resources.registry.columns import COLUMNS
from resources.warehouse.session import set_variables

EVENTS = pa.schema(
    {
        "name": pa.string(),
        "num": pa.string(),
        "kind": pa.string(),  # publish, yank or unyank
        "occurred_at": pa.timestamp("us"),  # if not exact, the time it was seen
        "occurred_at_exact": pa.bool_(),
        "occurred_after": pa.timestamp("us"),  # the earliest it can have been; null if the crate was never looked at
        "known_at": pa.timestamp("us"),
    }
)
KNOWN = pa.schema({"name": pa.string(), "num": pa.string(), "yanked": pa.bool_()})
LOOKS = pa.schema({"name": pa.string(), "looked_at": pa.timestamp("us")})
NEW_VERSIONS = pa.schema(
    COLUMNS["versions"] | {"rust_version": pa.string(), "checksum": pa.string(), "known_at": pa.timestamp("us")}
)

_COMPARE = (Path(__file__).parent / "events.sql").read_text()
_REBUILD = """
    select name, num,
        coalesce(arg_max(kind, known_at) filter (kind <> 'publish') = 'yank', any_value(yanked), false) as yanked
    from base
    full join events using (name, num)
    group by name, num
    order by name, num
"""


@dataclass(frozen=True)
class News:
    """Events (EVENTS), and the rows of the versions that are new (NEW_VERSIONS, DEPENDENCIES)."""

    events: pa.Table
    versions: pa.Table
    dependencies: pa.Table


def compare(
    con: duckdb.DuckDBPyConnection,
    known: pa.Table,
    looks: pa.Table,
    versions: pa.Table,
    dependencies: pa.Table,
    seen_at: datetime,
) -> News:
    """What the index files of any number of crates, seen at `seen_at` (UTC, without a zone), say that was not known.

    `versions` and `dependencies` are those of `read_index_file`; `known` (KNOWN) and `looks` (LOOKS, one row a crate)
    may hold more crates. A known version that is no longer in its file makes no event. The same files again make none.
    Leaves nothing in `con`. Raises BadInput if a crate was looked at later than `seen_at`: the clock went back.
    """
    latest = pc.max(looks["looked_at"]).as_py()
    if latest is not None and latest >= seen_at:
        raise BadInput(
            f"the index was looked at on {latest} (UTC), which is not before now, {seen_at}: set the clock right; "
            "what was seen with a clock ahead counts only from the time it gave"
        )
    with con.cursor() as cursor:
        set_variables(cursor, seen_at=seen_at)
        inputs = {"known": known, "looks": looks, "versions": versions, "dependencies": dependencies}
        for name, rows in inputs.items():
            cursor.register(name, rows)
        cursor.execute(_COMPARE)
        return News(
            events=cursor.table("events").to_arrow_table().cast(EVENTS),
            versions=cursor.table("new_versions").to_arrow_table().cast(NEW_VERSIONS),
            dependencies=cursor.table("new_dependencies").to_arrow_table().cast(DEPENDENCIES),
        )


def known_from(con: duckdb.DuckDBPyConnection, base: pa.Table, events: pa.Table) -> pa.Table:
    """The state (KNOWN) that `events` lead to from the state `base`, in whatever order and however often given."""
    with con.cursor() as cursor:
        cursor.register("base", base)
        cursor.register("events", events)
        return cursor.sql(_REBUILD).to_arrow_table().cast(KNOWN)
