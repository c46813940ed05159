"""The end of `crates demo` and `crates refresh`: the crates that need attention, and what to try next."""

import os
from pathlib import Path

import duckdb

from cli.show import LABEL_WIDTH, print_heading, print_problems
from cli.terminal import bold, print_item, print_line, print_paragraph
from ml.targets import TARGETS
from resources.common.settings import Settings
from resources.language_model.language_model import HOW_TO_TURN_ON
from resources.warehouse.session import first_row, view
from resources.warehouse.table_store import TableStore
from serving.crate_lookup import read_crate
from serving.wording import WORDINGS, count, word_score

ATTENTION, FIGURES, ENRICHED = (
    Path(__file__).with_name(name) for name in ("attention.sql", "figures.sql", "enriched.sql")
)
COUNTS = "select count(*), any_value(as_of) from scores"
UNKNOWN = (
    "select score, count(*) from (select unnest(unknown_scores) as score from scores) group by score order by score"
)
MAX_PROBLEMS = 2  # of each crate
NOTABLE_RISK = 0.1
PRECISION_AT = 100  # crates ranked first in figures.sql


def print_answer(settings: Settings, seconds: float) -> None:
    """Prints the crates that most need attention, how often the scores were right, and what to try next."""
    store = TableStore(root=str(settings.warehouse))
    # not through the catalog: opening it to write would meet a lock
    with duckdb.connect() as con:
        for table in ("scores", "features", "backtests"):
            view(con, store, table, store.partitions(table))
        names = [name for (name,) in con.execute(ATTENTION.read_text()).fetchall()]
        figures = {target: numbers for target, *numbers in con.execute(FIGURES.read_text()).fetchall()}
        crates, as_of = first_row(con, COUNTS) or (0, None)
        unknown = con.execute(UNKNOWN).fetchall()
    print_line(f"\n{bold('Of the 200 crates that most projects build on, these most need attention')} (as of {as_of})")
    for name in names:
        _print_crate(store, name)
    _print_figures(figures)
    _print_enriched(store)
    print_line(f"\n{crates:,} crates have scores. This took {seconds:.0f} s; everything is in {settings.data}")
    for score, number in unknown:
        print_item(f"{WORDINGS[score].label} is unknown for {number:,}")
    _print_next(names)


def _print_crate(store: TableStore, name: str) -> None:
    crate = read_crate(store, name)
    assert crate, f"{name} has no scores"
    print_line()
    print_heading(crate)
    print_problems(crate, MAX_PROBLEMS)
    for target, score in crate["scores"].items():
        is_risk = not score["is_good"]
        if target == "maintenance" or (is_risk and score["is_known"] and score["worst"] >= NOTABLE_RISK):
            print_item(f"{WORDINGS[target].label}: {word_score(target, score)}")


def _print_figures(figures: dict[str, list]) -> None:
    """How many of the crates that are ranked first had the outcome: the only figure that needs no explanation."""
    print_line(f"\n{bold('How often the scores were right')}")
    print_paragraph(
        f"Tested on dates of the past, on projects that training never saw: of the {PRECISION_AT} crates ranked first, "
        "the number that had the outcome. docs/backtest.md has every figure."
    )
    for target in TARGETS:
        if target.name in figures:
            model, at_random, other, other_name, others = figures[target.name]
            print_paragraph(
                f"{PRECISION_AT * model:.0f} (at random {count(at_random, PRECISION_AT)}; the best of {others} other "
                f"methods {PRECISION_AT * other:.0f}: {other_name})",
                label=WORDINGS[target.name].label,
                hanging=LABEL_WIDTH,
            )


def _print_enriched(store: TableStore) -> None:
    shards = store.partitions("enrichments")
    if not shards:
        return
    with duckdb.connect() as con:
        view(con, store, "enrichments", shards)
        crates, by_model, extracted, categories = first_row(con, ENRICHED.read_text()) or (0,) * 4
    print_line()
    print_paragraph(
        f"Read the texts of {crates:,} crates: {by_model:,} summaries by a language model, {extracted:,} of the "
        f"text's own best sentence, {categories:,} categories."
    )
    if not by_model:
        print_paragraph(f"No language model was used: {HOW_TO_TURN_ON}")


def _print_next(names: list[str]) -> None:
    print_line(f"\n{bold('Try next')}")
    example = names[0] if names else "serde"
    commands = {
        f"crates show {example}": "one crate in words; --why for all evidence",
        "crates sql": "a SQL shell; docs/queries.md has ten questions",
        "crates ui": "the lineage, the checks and the plots",
        "crates mlflow": "the models and how they were tested",
        "crates backtest": "every method on every date of the past: docs/backtest.md",
    }
    width = max(map(len, commands)) + 2
    if "VIRTUAL_ENV" not in os.environ:
        print_paragraph("`crates` is .venv/bin/crates; `source .venv/bin/activate` puts it on your PATH.")
    for command, meaning in commands.items():
        print_paragraph(meaning, label=f"  {command}", hanging=width + 2)
