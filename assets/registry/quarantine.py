"""The `quarantine` table."""

import pyarrow as pa

from assets.registry.advisories import advisories
from assets.registry.dependencies import dependencies
from assets.registry.loading import judge_rows
from assets.registry.texts import texts
from assets.registry.yanks import yanks
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


@table_asset(QUARANTINE, group="registry", deps=[yanks, dependencies, advisories, texts], kinds={"sql", "duckdb"})
def quarantine(inputs: Inputs) -> pa.Table:
    """Nothing is dropped unseen: each row names the field that is wrong."""
    sql = (SQL / "registry" / "quarantine.sql").read_text()
    found = []
    for name, needs in NEEDS.items():
        judge_rows(inputs, name, needs)
        found.append(inputs.con.sql(sql, params={"table_name": name}).to_arrow_table())
    return pa.concat_tables(found)
