"""`catalog.duckdb`: views over the current files, for SQL users. It is replaced atomically, so readers never wait."""

import fcntl
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from resources.common.errors import CannotWrite
from resources.warehouse.schema import Table
from resources.warehouse.table_store import TableStore

# the `duckdb` command line, which reads it too, is a version behind the library
STORAGE_VERSION = "v1.2.0"


@dataclass(frozen=True)
class Catalog:
    """The DuckDB file with the views, at `path`."""

    path: str

    def rebuild(self, store: TableStore, tables: dict[str, Table]) -> None:
        """Writes all views to a new file and renames it: readers keep the file that they opened. Raises CannotWrite."""
        path = Path(self.path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                temporary = path.with_suffix(".new")
                temporary.unlink(missing_ok=True)
                _write(temporary, store, tables)
                temporary.replace(path)
        except (OSError, duckdb.IOException) as error:
            raise CannotWrite(
                f"cannot write {path}: {error}. Free space there, or set CRATES_DATA to a folder that can be written; "
                "the catalog is unchanged"
            ) from error


def _write(path: Path, store: TableStore, tables: dict[str, Table]) -> None:
    with duckdb.connect() as con:
        con.execute(f"attach '{_literal(path)}' as catalog (storage_version '{STORAGE_VERSION}')")
        con.execute("use catalog")
        con.execute("begin")  # one transaction: with one for each statement this takes three times as long
        for name, partitions in store.tables().items():
            table = tables.get(name)
            if table is None:  # the rejected rows of another table
                continue
            # partitions that an earlier version of this project wrote may have other columns
            readable = [p for p in partitions if pq.read_schema(p.path).names == table.arrow.names]
            visible = readable[-1:] if table.newest_only else readable
            if not visible:
                continue
            files = ", ".join(f"'{_literal(p.path)}'" for p in visible)
            con.execute(f"create view {name} as select * from read_parquet([{files}], hive_partitioning = false)")
            con.execute(f"comment on view {name} is '{_literal(table.grain)}'")
            for column in table.columns:
                con.execute(f"comment on column {name}.{column.name} is '{_literal(column.text)}'")
        con.execute("commit")
        # the library may keep a closed connection, and with it the file's lock, for a while
        con.execute("use memory")
        con.execute("detach catalog")


def _literal(value: str | Path) -> str:
    return str(value).replace("'", "''")
