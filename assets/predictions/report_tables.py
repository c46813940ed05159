"""Figures of tests as Markdown tables, for the UI and docs/backtest.md: each is a query in `assets/sql/backtest/`."""

import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from assets.table_build import SQL
from ml.targets import TARGETS
from resources.warehouse.session import run_script

if TYPE_CHECKING:
    import duckdb

QUERIES = SQL / "backtest"
NAME = "name"  # the column that a page gives a heading of its own


def attach_tests(con: "duckdb.DuckDBPyConnection", rows: pa.Table) -> None:
    """Makes `tested`, `methods` and `questions` of rows of `backtests` or `walk_forward`."""
    con.register("rows_of_tests", rows)
    con.register("methods", pa.Table.from_pylist(list(_methods())))
    con.register("questions", pa.Table.from_pylist([{"target": t.name, "question": t.question} for t in TARGETS]))
    con.execute((QUERIES / "tested.sql").read_text())


def _methods() -> Iterator[dict[str, str]]:
    """What is compared: method, kind, and what it is in words."""
    from ml.baselines import BASELINES
    from ml.baselines.naive import SIGNALS

    yield {"method": "model", "kind": "model", "what": "Ours."}
    yield {"method": "base_rate", "kind": "base rate", "what": "The same of every crate: the share known so far."}
    yield {
        "method": "logistic_regression",
        "kind": "logistic regression",
        "what": "The plain model, on the same inputs as ours.",
    }
    modules = Counter(baseline.score.__module__ for baseline in BASELINES.values())
    for name, baseline in BASELINES.items():
        module = baseline.score.__module__
        told_by = baseline.score if modules[module] > 1 else sys.modules[module]
        yield {
            "method": name,
            "kind": "single signal" if baseline in SIGNALS else "formula",
            "what": (inspect.getdoc(told_by) or "").splitlines()[0].replace("; shape (rows,)", ""),
        }


def markdown_table(con: "duckdb.DuckDBPyConnection", query: str, heading: str = NAME) -> str:
    """The rows of `<query>.sql` as a Markdown table; its column `name`, if it has one, gets `heading`."""
    rows = run_script(con, QUERIES / f"{query}.sql")
    headings = [heading if column == NAME else column for column in rows.column_names]
    cells = [["" if cell is None else str(cell) for cell in row.values()] for row in rows.to_pylist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, ["---"] * len(headings), *cells])


def summary(con: "duckdb.DuckDBPyConnection", rows: pa.Table) -> str:
    """Per target ours beside the best of each kind, and how good the probabilities are."""
    attach_tests(con, rows)
    return f"{markdown_table(con, 'summary')}\n\n{markdown_table(con, 'summary_of_probabilities')}"
