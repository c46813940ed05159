"""Backtest figures as Markdown tables, for the UI and docs/backtest.md; each is a query in `assets/sql/backtest/`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from assets.table_build import SQL
from ml.targets import TARGETS
from resources.warehouse.session import run_script

if TYPE_CHECKING:
    import duckdb

QUERIES = SQL / "backtest"
NAME = "name"  # the column whose heading the page chooses


def attach_tests(con: "duckdb.DuckDBPyConnection", rows: pa.Table) -> None:
    """Creates `tested`, `methods` and `questions` from rows of `backtests` or `walk_forward`."""
    con.register("rows_of_tests", rows)
    con.register("methods", pa.Table.from_pylist(list(_methods())))
    con.register("questions", pa.Table.from_pylist([{"target": t.name, "question": t.question} for t in TARGETS]))
    con.execute((QUERIES / "tested.sql").read_text())


def _methods() -> Iterator[dict[str, str]]:
    """What is compared: method, kind and description."""
    from ml.baselines import BASELINES
    from ml.baselines.naive import SIGNALS

    yield {"method": "model", "kind": "model", "description": "Our model."}
    yield {
        "method": "base_rate",
        "kind": "base rate",
        "description": "The same probability for every crate: the share of positives known so far.",
    }
    yield {
        "method": "logistic_regression",
        "kind": "logistic regression",
        "description": "Logistic regression on the inputs of our model.",
    }
    for name, baseline in BASELINES.items():
        kind = "single signal" if baseline in SIGNALS else "formula"
        yield {"method": name, "kind": kind, "description": baseline.description}


def markdown_table(con: "duckdb.DuckDBPyConnection", query: str, heading: str = NAME) -> str:
    """The rows of `<query>.sql` as a Markdown table; a column `name` gets `heading`."""
    rows = run_script(con, QUERIES / f"{query}.sql")
    headings = [heading if column == NAME else column for column in rows.column_names]
    cells = [["" if cell is None else str(cell) for cell in row.values()] for row in rows.to_pylist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, ["---"] * len(headings), *cells])


def summary(con: "duckdb.DuckDBPyConnection", rows: pa.Table) -> str:
    """Per target our model and the best method of each kind, and the quality of the probabilities."""
    attach_tests(con, rows)
    return f"{markdown_table(con, 'summary')}\n\n{markdown_table(con, 'summary_of_probabilities')}"
