"""The `quarantine` table."""

import pyarrow as pa

from assets.registry.crates import crates
from assets.registry.loading import judge_rows
from assets.registry.versions import versions
from assets.schemas.registry import QUARANTINE
from assets.table_asset import SQL, Inputs, table_asset

NEEDS = {
    "crates": (),
    "versions": ("crates",),
    "yanks": ("crates", "versions"),
    "dependencies": ("crates", "versions"),
    "advisories": (),
    "texts": ("crates", "versions"),
}


@table_asset(QUARANTINE, group="registry", deps=[crates, versions], kinds={"sql", "duckdb"})
def quarantine(inputs: Inputs) -> pa.Table:
    """Nothing is dropped unseen: each row names the field that is wrong."""
    sql = (SQL / "registry" / "quarantine.sql").read_text()
    found = []
    for name, needs in NEEDS.items():
        judge_rows(inputs, name, needs)
        found.append(inputs.con.sql(sql, params={"table_name": name}).to_arrow_table())
    return pa.concat_tables(found)
