"""The `culprits` table."""

import pyarrow as pa

from assets.features.steps import UP_TO_ADVISORIES, run_step
from assets.partitions import DATE_PARTITIONS, all_partitions
from assets.point_in_time import attach_registry, set_as_of, snapshot_at_or_after
from assets.registry.advisories import advisories
from assets.registry.dependencies import dependencies
from assets.registry.downloads import downloads
from assets.registry.owners import owners
from assets.registry.yanks import yanks
from assets.schemas.culprits import CULPRITS
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from resources.warehouse.session import first_row, set_variables

FOLDER = SQL / "culprits"
ISSUES = FOLDER / "01_issues.sql"  # versions with a known issue
# run once per part of the crates with an issue
PATHS = FOLDER / "02_paths.sql"  # which crates depend on them, and by which path
REMEDIES = FOLDER / "03_remedies.sql"  # which crate can fix it, and how
# crates with an issue per part: half of the registry may depend on one of them
CRATES_PER_PART = 200


@table_asset(
    CULPRITS,
    group="features",
    deps=[all_partitions(table) for table in (yanks, dependencies, owners, downloads, advisories)],
    kinds={"sql", "duckdb"},
    partitions=DATE_PARTITIONS,
)
def culprits(context: BuildContext) -> pa.Table:
    """Leak-proof like `features`. Requirements resolve to the newest matching version, so a fix that a requirement
    already allows counts as taken: an issue listed here remains until some requirement changes. Optional dependencies
    are excluded."""
    con = context.con
    attach_registry(con, context.store, snapshot_at_or_after(context.store, context.key))
    set_as_of(con, context.key)
    for step in UP_TO_ADVISORIES:
        run_step(con, step)
    con.execute(ISSUES.read_text())
    con.register("no_rows", CULPRITS.arrow.empty_table())
    con.execute("create temp table culprits as from no_rows")
    (crates,) = first_row(con, "select count(distinct crate_id) from issues") or (0,)
    parts = 1 + crates // CRATES_PER_PART
    for part in range(parts):
        set_variables(con, part=part, parts=parts)
        con.execute(PATHS.read_text())
        con.execute(REMEDIES.read_text())
    rows = con.sql("from culprits order by crate, culprit, culprit_version, issue").to_arrow_table()
    shares = first_row(
        con, "select avg((fixable_by = 'you')::int), avg((fixable_by = 'nobody')::int) from culprits"
    ) or (0, 0)
    context.report(share_fixable_by_you=shares[0] or 0.0, share_fixable_by_nobody=shares[1] or 0.0)
    return rows
