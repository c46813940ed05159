"""What `make demo` says at the end: answers from SQL, and where to look next."""

from itertools import groupby
from pathlib import Path

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from resources.common.settings import Settings
from resources.language_model.language_model import HOW_TO_TURN_ON
from resources.warehouse.session import first_row, run_script, view
from resources.warehouse.table_store import TableStore

ATTENTION, FIGURES, ENRICHED = (
    Path(__file__).with_name(name) for name in ("attention.sql", "figures.sql", "enriched.sql")
)
COUNTS = "select count(*), any_value(as_of) from scores"
UNKNOWN = (
    "select score, count(*) from (select unnest(unknown_scores) as score from scores) group by score order by score"
)
LEFT = ("target", "method")  # columns of words; the others are numbers


def print_answer(settings: Settings, console: Console, seconds: float) -> None:
    """The crates that most need attention, the backtest's figures, where the tables are, what to try next."""
    store = TableStore(root=str(settings.warehouse))
    # not through the catalog: whoever opens that to write would meet our lock
    with duckdb.connect() as con:
        for table in ("scores", "features", "culprits", "backtests"):
            view(con, store, table, store.partitions(table))
        attention = run_script(con, ATTENTION).to_pylist()
        figures = con.execute(FIGURES.read_text()).fetchall()
        crates, as_of = first_row(con, COUNTS) or (0, None)
        unknown = con.execute(UNKNOWN).fetchall()
    console.print(f"\n[bold]Of the 200 most depended-on crates, these most need attention[/bold] (as of {as_of})")
    console.print("Each score is the chance that things go well, from the worst case to the best.\n")
    for crate in attention:
        _print_crate(console, crate)
    _print_figures(console, figures)
    _print_enriched(console, store)
    lacking = f"; unknown: {', '.join(f'{score} of {count:,}' for score, count in unknown)}" if unknown else ""
    console.print(f"\nScored {crates:,} crates in {seconds:.0f} s{lacking}.")
    console.print(f"Tables: {settings.warehouse}   SQL: {settings.catalog}   Runs: {settings.dagster_home}")
    console.print("\nTry next:\n  make ui                                   # the lineage, the checks and the plots")
    console.print("  make sql                                  # a SQL shell; docs/queries.md has ten questions")
    console.print("  make sql Q=\"from scores where name = 'serde'\"   # one crate")
    console.print("  make backtest                             # every method on every test date: docs/backtest.md\n")


def _print_crate(console: Console, crate: dict) -> None:
    described = crate["description"] or "no description known"
    console.print(f"[bold]{escape(crate['name'])} {escape(crate['version'])}[/bold]: {escape(described)}")
    console.print(f"  {crate['dependents']:,} crates of {crate['projects']:,} other projects build on it.")
    console.print(f"  Scores: {escape(crate['chances'])}.")
    lines = {
        "Found": crate["found"],
        "In its build": crate["culprits"],
        "Risk": crate["risks"],
        "Why": crate["evidence"],
        "Would change it": crate["changes"],
    }
    for heading, words in lines.items():
        if words:
            console.print(f"  {heading}: {escape('; '.join(words))}.")
    console.print()


def _print_enriched(console: Console, store: TableStore) -> None:
    shards = store.partitions("enrichments")
    if not shards:
        return
    with duckdb.connect() as con:
        view(con, store, "enrichments", shards)
        crates, by_model, extracted, categories = first_row(con, ENRICHED.read_text()) or (0,) * 4
    console.print(
        f"\nRead the texts of {crates:,} crates: {by_model:,} summaries by a language model, {extracted:,} of the "
        f"text's own best sentence, {categories:,} categories."
    )
    if not by_model:
        console.print(f"No language model was asked: {HOW_TO_TURN_ON}")


def _print_figures(console: Console, figures: list[tuple]) -> None:
    table = RichTable(title="Backtest, on projects that training never saw", title_justify="left")
    for heading in (*LEFT, "ROC-AUC", "PR-AUC", "Brier skill", "ECE", "accuracy", "majority"):
        table.add_column(heading, justify="left" if heading in LEFT else "right")
    for target, rows in groupby(figures, key=lambda row: row[0]):
        table.add_section()
        for number, (_, date, method, *numbers) in enumerate(rows):
            told = (target, f"as of {date}")[number] if number < 2 else ""
            table.add_row(told, method, *("" if n is None else f"{round(n, 3) + 0:.3f}" for n in numbers))
    console.print(table)
