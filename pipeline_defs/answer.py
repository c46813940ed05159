"""What `make demo` says at the end: answers from SQL, and where to look next."""

from importlib.resources import files

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from resources.session import first_row, view
from resources.settings import Settings
from resources.table_store import TableStore

ATTENTION = files("pipeline_defs") / "attention.sql"
FIGURES = files("pipeline_defs") / "figures.sql"


def print_answer(settings: Settings, console: Console, seconds: float) -> None:
    """The crates that most need attention, the backtest's figures, where the tables are, what to try next."""
    store = TableStore(root=str(settings.warehouse))
    # not through the catalog: whoever opens that to write would meet our lock
    with duckdb.connect() as con:
        for table in ("scores", "features", "backtests"):
            view(con, store, table, store.partitions(table))
        attention = con.execute(ATTENTION.read_text()).fetchall()
        figures = con.execute(FIGURES.read_text()).fetchall()
        counts = first_row(con, "select count(*), any_value(as_of) from scores")
    crates, as_of = counts or (0, None)
    console.print(f"\n[bold]Of the 200 most depended-on crates, these most need attention[/bold] (as of {as_of})\n")
    for name, version, description, dependents, projects, maintenance, popularity, findings, evidence in attention:
        console.print(f"[bold]{escape(name)} {escape(version)}[/bold]: {escape(description or 'no description known')}")
        console.print(f"  {dependents:,} crates of {projects:,} other projects build on it.")
        console.print(f"  {escape(maintenance)}; {escape(popularity)}.")
        console.print(f"  Found: {escape('; '.join(findings))}.")
        console.print(f"  Why: {escape('; '.join(evidence))}.\n")
    _print_figures(console, figures)
    console.print(
        f"\nScored {crates:,} crates in {seconds:.0f} s. "
        "Security, dependency health and quality: unknown, not predicted yet."
    )
    console.print(f"Tables: {settings.warehouse}   SQL: {settings.catalog}   Runs: {settings.dagster_home}")
    console.print("\nTry next:\n  make ui                                   # the lineage, the checks and the plots")
    console.print("  make sql                                  # a SQL shell; docs/queries.md has ten questions")
    console.print("  make sql Q=\"from scores where name = 'serde'\"   # one crate\n")


def _print_figures(console: Console, figures: list[tuple]) -> None:
    table = RichTable(title=f"Backtest of {figures[0][1]}, on projects that training never saw", title_justify="left")
    for heading in ("target", "method", "ROC-AUC", "PR-AUC", "Brier skill", "ECE", "accuracy", "majority"):
        table.add_column(heading, justify="left" if heading in ("target", "method") else "right")
    for target, _, method, *numbers in figures:
        table.add_row(target, method, *("" if n is None else f"{n:.3f}" for n in numbers))
    console.print(table)
