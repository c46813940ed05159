"""The contracts of a table: constraints that are checked on new rows before they are published."""

from dataclasses import dataclass

import duckdb

from resources.warehouse.schema import Table
from resources.warehouse.session import first_row

MAX_EXAMPLES = 3


@dataclass(frozen=True)
class ContractResult:
    """The result of one contract: its name, the number of rows that violate it, and a message for the user."""

    name: str
    violations: int
    message: str

    @property
    def passed(self) -> bool:
        return self.violations == 0


def names(table: Table) -> list[str]:
    """The names of a table's contracts, which are the names of its asset checks."""
    found = ["not_null", "unique_key"]
    if table.references:
        found.append("foreign_keys")
    if any(c.accepted for c in table.columns):
        found.append("accepted_values")
    if table.dates:
        found.append("not_after_snapshot")
    if table.min_share_of_previous is not None:
        found.append("row_count")
    return found


def check(
    con: duckdb.DuckDBPyConnection, table: Table, rows: duckdb.DuckDBPyRelation, key: str, rows_before: int | None
) -> list[ContractResult]:
    """Checks every contract of `table` on `rows`. Foreign keys need the referenced tables as views in `con`.

    `rows_before` is the row count of the previous partition, or None if there is none.
    """
    rows.create_view("candidate", replace=True)
    results = []
    for name in names(table):
        if name == "row_count":
            count = first_row(con, "select count(*) from candidate")
            results.append(_check_row_count(table, count[0] if count else 0, rows_before))
        else:
            results.append(_check_rows(con, table, name, _CONDITIONS[name](table, key)))
    return results


def _check_rows(con: duckdb.DuckDBPyConnection, table: Table, name: str, conditions: dict[str, str]) -> ContractResult:
    """`conditions` maps the description of a violation to the SQL condition of a violating row."""
    violations, messages = 0, []
    key = ", ".join(table.key)
    for description, condition in conditions.items():
        # a condition may use a window function, which a where clause does not allow
        violating = f"from (select {key}, {condition} as is_violation from candidate) where is_violation"
        count = first_row(con, f"select count(*) {violating}")
        if count and count[0]:
            examples = con.execute(f"select {key} {violating} limit {MAX_EXAMPLES}").fetchall()
            violations += count[0]
            messages.append(f"{description}: {count[0]} rows, such as {key} = {examples}")
    return ContractResult(name, violations, "; ".join(messages) or "holds for every row")


def _not_null(table: Table, key: str) -> dict[str, str]:
    return {f"{c.name} is null": f"{c.name} is null" for c in table.columns if not c.nullable}


def _unique_key(table: Table, key: str) -> dict[str, str]:
    """Rows are sorted by the key, so each must be greater than the one before: one pass, constant memory."""
    columns = ", ".join(table.key)
    before = ", ".join(f"lag({column}) over ()" for column in table.key)
    return {f"({columns}) is duplicated or out of order": f"lag(true) over () and ({columns}) <= ({before})"}


def _foreign_keys(table: Table, key: str) -> dict[str, str]:
    return {
        f"{r.column} is not in {r.table}.{r.target}": f"{r.column} is not null and {r.column} not in "
        f"(select {r.target} from {r.table} where {r.target} is not null)"
        for r in table.references
    }


def _accepted_values(table: Table, key: str) -> dict[str, str]:
    return {
        f"{c.name} is not one of {', '.join(c.accepted)}": f"{c.name} not in ({', '.join(map(repr, c.accepted))})"
        for c in table.columns
        if c.accepted
    }


def _not_after_snapshot(table: Table, key: str) -> dict[str, str]:
    return {f"{name} is after the snapshot": f"{name} >= date '{key}' + interval 1 day" for name in table.dates}


def _check_row_count(table: Table, rows: int, before: int | None) -> ContractResult:
    if before is None:
        return ContractResult("row_count", 0, f"{rows:,} rows; no earlier partition to compare with")
    min_rows = int(before * (table.min_share_of_previous or 0))
    missing = max(min_rows - rows, 0)
    verdict = f"expected at least {min_rows:,}" if missing else "as expected"
    return ContractResult("row_count", missing, f"{rows:,} rows after {before:,} in the previous partition: {verdict}")


_CONDITIONS = {
    "not_null": _not_null,
    "unique_key": _unique_key,
    "foreign_keys": _foreign_keys,
    "accepted_values": _accepted_values,
    "not_after_snapshot": _not_after_snapshot,
}
