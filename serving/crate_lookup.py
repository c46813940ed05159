"""What the tables say of one crate: the lookup behind one crate's scores, cached until the tables are made anew."""

import re
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from resources.cache import Cache
from resources.warehouse.session import first_row, set_variables, view
from resources.warehouse.table_store import TableStore, tag_of

QUERY = Path(__file__).with_suffix(".sql")
TABLES = ("scores", "culprits")
TTL_S = 3600.0
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # crates.io allows no other


def look_up(store: TableStore, cache: Cache, name: str) -> dict[str, Any] | None:
    """`scores` (the row) and `culprits` (rows) of a crate, dates as ISO texts; None for a crate that has no scores.

    Raises BadInput if the tables are not there.
    """
    if not NAME.fullmatch(name):
        return None
    crates = cache.namespace("crates", kind=dict[str, Any] | None, ttl=TTL_S)
    key = name.lower().replace("-", "_")
    return crates.get_or_set(key, lambda: _read(store, name), tags=map(tag_of, TABLES))


def _read(store: TableStore, name: str) -> dict[str, Any] | None:
    with duckdb.connect() as con:
        for table in TABLES:
            view(con, store, table, store.partitions(table)[-1:] or "latest")
        set_variables(con, crate=name)
        row = first_row(con, QUERY.read_text())
    return msgspec.json.decode(row[0]) if row else None
