"""Everything the tables know about one crate, cached under the content of the tables it is read from."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from ml.targets import TARGETS
from resources.cache import Cache
from resources.common.errors import BadInput
from resources.common.settings import Settings
from resources.warehouse.session import first_row, set_variables, view
from resources.warehouse.table_store import TableStore

QUERY = Path(__file__).with_suffix(".sql")
SUGGESTIONS = Path(__file__).with_name("name_suggestions.sql")
TABLES = ("scores", "culprits", "predictions", "fresh_predictions", "features", "advisories")
TTL_S = 3600.0
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # crates.io accepts no other
SCORES = "scores"
HOW_TO_START = (
    "run `crates demo` (three minutes, on the registry that comes with this project) or `crates refresh` (today's "
    "crates.io) first"
)
MIN_LETTERS = 3  # half of all short names are one edit away from a shorter one


def look_up(store: TableStore, cache: Cache, name: str) -> dict[str, Any] | None:
    """The facts, scores and culprits of a crate, dates as ISO text; None for a crate that has no scores.

    `scores` holds one entry per target. Its probabilities are of the outcome, which is a bad one where `is_good` is
    false; `worst` is the end to rank by. Raises BadInput if a table is missing.
    """
    if not NAME.fullmatch(name):
        return None
    return _cached(cache).get_or_set(_key(_content(store), name), lambda: read_crate(store, name))


def warm(store: TableStore, cache: Cache, names: Iterable[str]) -> int:
    """Looks up crates that will be asked for, over one connection; the number that is cached. Raises BadInput."""
    crates, content, warmed = _cached(cache), _content(store), 0
    with _reader(store) as read:
        for name in filter(NAME.fullmatch, names):
            crates.get_or_set(_key(content, name), lambda name=name: read(name))
            warmed += 1
    return warmed


def most_depended_on(store: TableStore, limit: int) -> list[str]:
    """The names of the crates with scores that most crates build on. Raises BadInput."""
    with duckdb.connect() as con:
        _view_newest(con, store, SCORES)
        query = "select name from scores order by dependents desc, name limit $1"
        return [name for (name,) in con.execute(query, [limit]).fetchall()]


def _cached(cache: Cache) -> Cache:
    # a key holds the hashes of the tables, so its value never changes and no publication has to be heard of
    return cache.namespace("crates", version=3, kind=dict[str, Any] | None, ttl=TTL_S, immutable=True)


def _key(content: str, name: str) -> str:
    return f"{content}/{canonical(name)}"


def _content(store: TableStore) -> str:
    """A hash of the newest partition of each table. All are published before the scores that are made from them."""
    newest = ((table, key) for table in TABLES for key in store.partitions(table)[-1:])
    found = (published.sha256 for table, key in newest if (published := store.find(table, key)))
    return hashlib.sha256(" ".join(found).encode()).hexdigest()[:16]


def suggest_names(store: TableStore, name: str) -> list[str]:
    """At most five names of crates that are spelled nearly like `name`, the nearest first. Raises BadInput."""
    letters = "".join(re.findall(r"[A-Za-z0-9_-]+", name))
    if not NAME.fullmatch(letters) or len(letters) < MIN_LETTERS:
        return []
    with duckdb.connect() as con:
        _view_newest(con, store, SCORES)
        set_variables(con, crate=canonical(letters))
        return [found for (found,) in con.execute(SUGGESTIONS.read_text()).fetchall()]


def require_tables(settings: Settings) -> None:
    """Raises BadInput if there is no table to read."""
    if not settings.catalog.exists():
        raise BadInput(f"no tables in {settings.data} yet: {HOW_TO_START}")


def require_scores(store: TableStore) -> None:
    """Raises BadInput if there are no scores to look up."""
    if not store.partitions(SCORES):
        raise BadInput(f"no scores in {store.root} yet: {HOW_TO_START}")


def canonical(name: str) -> str:
    """A name in lower case with `-` folded into `_`."""
    return name.lower().replace("-", "_")


def read_crate(store: TableStore, name: str) -> dict[str, Any] | None:
    """The same without a cache."""
    if not NAME.fullmatch(name):
        return None
    with _reader(store) as read:
        return read(name)


@contextmanager
def _reader(store: TableStore) -> Iterator[Callable[[str], dict[str, Any] | None]]:
    with duckdb.connect() as con:
        _view_newest(con, store, SCORES)
        (as_of,) = first_row(con, "select any_value(as_of)::varchar from scores") or (None,)
        for table in ("culprits", "predictions", "features"):
            view(con, store, table, as_of or "")
        _view_newest(con, store, "advisories")
        if store.partitions("fresh_predictions"):
            _view_newest(con, store, "fresh_predictions")
        else:
            con.execute("create view fresh_predictions as from predictions where false")
        query = QUERY.read_text()

        def read(name: str) -> dict[str, Any] | None:
            set_variables(con, crate=name, targets=[target.name for target in TARGETS])
            try:
                row = first_row(con, query)
            except duckdb.BinderException as error:
                raise BadInput(
                    f"the tables in {store.root} were built by an earlier version of this project: run the command "
                    "that built them again (`crates demo` or `crates refresh`)"
                ) from error
            return msgspec.json.decode(row[0]) if row else None

        yield read


def _view_newest(con: duckdb.DuckDBPyConnection, store: TableStore, table: str) -> None:
    view(con, store, table, store.partitions(table)[-1:] or "latest")
