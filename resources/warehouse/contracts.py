"""What must hold of a table before anybody may see it. Judged on the rows to be published, not on what is there."""

from dataclasses import dataclass

import duckdb

from resources.warehouse.schema import Table
from resources.warehouse.session import first_row

EXAMPLES = 3


@dataclass(frozen=True)
class Outcome:
    """One contract judged: its name, how many rows broke it, and words for a person."""

    name: str
    broken: int
    words: str

    @property
    def passed(self) -> bool:
        return self.broken == 0


def names(table: Table) -> list[str]:
    """The contracts of a table, by the names its checks have in the UI."""
    found = ["not_null", "unique_key"]
    if table.references:
        found.append("references_whole")
    if any(c.accepted for c in table.columns):
        found.append("known_values")
    if table.dates:
        found.append("inside_snapshot")
    if table.least_share_of_previous is not None:
        found.append("row_count")
    return found


def judge(
    con: duckdb.DuckDBPyConnection, table: Table, rows: duckdb.DuckDBPyRelation, key: str, rows_before: int | None
) -> list[Outcome]:
    """Judges every contract of `table` on `rows`. References need the tables referred to as views in `con`.

    `rows_before` is the row count of the partition before this one, or None if there is none.
    """
    rows.create_view("candidate", replace=True)
    outcomes = []
    for name in names(table):
        if name == "row_count":
            count = first_row(con, "select count(*) from candidate")
            outcomes.append(_row_count(table, count[0] if count else 0, rows_before))
        else:
            outcomes.append(_judge_rows(con, table, name, _CONDITIONS[name](table, key)))
    return outcomes


def _judge_rows(con: duckdb.DuckDBPyConnection, table: Table, name: str, conditions: dict[str, str]) -> Outcome:
    broken, words = 0, []
    for what, condition in conditions.items():
        shown = ", ".join(table.key)
        # a condition may look at the row before, so it is no plain filter
        broken_rows = f"from (select {shown}, {condition} as is_broken from candidate) where is_broken"
        count = first_row(con, f"select count(*) {broken_rows}")
        if count and count[0]:
            rows = con.execute(f"select {shown} {broken_rows} limit {EXAMPLES}").fetchall()
            broken += count[0]
            words.append(f"{what}: {count[0]} rows, such as {shown} = {rows}")
    return Outcome(name, broken, "; ".join(words) or "holds for every row")


def _not_null(table: Table, key: str) -> dict[str, str]:
    return {f"{c.name} is null": f"{c.name} is null" for c in table.columns if not c.nullable}


def _unique_key(table: Table, key: str) -> dict[str, str]:
    """Rows are kept in the order of the key, so each must be greater than the one before: one pass, no memory."""
    columns = ", ".join(table.key)
    before = ", ".join(f"lag({column}) over ()" for column in table.key)
    return {f"({columns}) stands more than once, or out of order": f"lag(true) over () and ({columns}) <= ({before})"}


def _references_whole(table: Table, key: str) -> dict[str, str]:
    return {
        f"{r.column} is not in {r.table}.{r.target}": f"{r.column} is not null and {r.column} not in "
        f"(select {r.target} from {r.table} where {r.target} is not null)"
        for r in table.references
    }


def _known_values(table: Table, key: str) -> dict[str, str]:
    return {
        f"{c.name} is none of {', '.join(c.accepted)}": f"{c.name} not in ({', '.join(repr(a) for a in c.accepted)})"
        for c in table.columns
        if c.accepted
    }


def _inside_snapshot(table: Table, key: str) -> dict[str, str]:
    return {f"{name} is after the snapshot": f"{name} >= date '{key}' + interval 1 day" for name in table.dates}


def _row_count(table: Table, rows: int, before: int | None) -> Outcome:
    if before is None:
        return Outcome("row_count", 0, f"{rows:,} rows; no earlier partition to compare with")
    least = int(before * (table.least_share_of_previous or 0))
    lost = max(least - rows, 0)
    verdict = f"at least {least:,} expected" if lost else "within what is expected"
    return Outcome("row_count", lost, f"{rows:,} rows after {before:,} in the partition before: {verdict}")


_CONDITIONS = {
    "not_null": _not_null,
    "unique_key": _unique_key,
    "references_whole": _references_whole,
    "known_values": _known_values,
    "inside_snapshot": _inside_snapshot,
}
