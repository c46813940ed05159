"""The SQL steps of `features`, in order, and how they are run. `culprits` and `labels` share some of them."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from assets.table_build import SQL
from resources.warehouse.session import first_row, run_script, set_variables

# crates per run of a step in parts: some millions of pairs of crate and dependency, less than 1 GB
CRATES_PER_PART = 20_000


@dataclass(frozen=True)
class Step:
    """A SQL file. If `in_parts`, it runs once per part of `wanted_crates`, which bounds its memory."""

    path: Path
    in_parts: bool = False


FOLDER = SQL / "features"
KNOWN = Step(FOLDER / "01_known.sql")  # the facts known at the as-of instant
INSTANTS = Step(FOLDER / "02_instants.sql")  # the start of each window, and default versions
REQUIREMENTS = Step(FOLDER / "03_requirements.sql")  # dependencies, resolved by Cargo's rules
GRAPH = Step(FOLDER / "04_graph.sql")  # who depends on whom, trees of versions, PageRank
ADVISORIES = Step(FOLDER / "05_advisories.sql")  # the versions that each advisory affects
TREES = Step(FOLDER / "06_trees.sql", in_parts=True)  # the build of each wanted crate
PER_CRATE = Step(FOLDER / "07_per_crate.sql")  # one table per subject, one row per crate
FEATURES = Step(FOLDER / "08_features.sql")  # the rows of `features`

STEPS = (KNOWN, INSTANTS, REQUIREMENTS, GRAPH, ADVISORIES, TREES, PER_CRATE, FEATURES)
UP_TO_ADVISORIES = (KNOWN, INSTANTS, REQUIREMENTS, GRAPH, ADVISORIES)


def run_steps(con: duckdb.DuckDBPyConnection, wanted: Path | None = None) -> pa.Table:
    """The rows of `features` as of `known_at`: of all crates, or of those that the query in `wanted` selects."""
    *before, last = STEPS
    for step in before:
        if wanted and step.in_parts:
            con.execute(f"create or replace temp table wanted_crates as {wanted.read_text()}")
        run_step(con, step)
    return run_script(con, last.path)


def run_step(con: duckdb.DuckDBPyConnection, step: Step) -> None:
    """Runs a step, once or in parts."""
    parts = 1
    if step.in_parts:
        crates = first_row(con, "select count(*) from wanted_crates")
        parts = 1 + (crates[0] if crates else 0) // CRATES_PER_PART
    for part in range(parts):
        set_variables(con, part=part, parts=parts)
        con.execute(step.path.read_text())
