"""docs/backtest.md: fixed sentences here, every figure from the queries in `assets/sql/backtest/`."""

import duckdb

from assets.predictions.report_tables import QUERIES, attach_tests, markdown_table
from resources.warehouse.session import run_script, set_variables

PAGE = """# Backtest

Written by `make backtest` from the table `walk_forward`: no figure is typed by hand; the same data give the same page.
Registry: {source}, snapshot of {taken_at} UTC, advisories up to {advisories_read_at} UTC (sha256 {source_sha256:.16}).

Each test plays the past again: a model learns from what was known on the test date, says of each crate what will come,
and is held against what came. All methods are given the same crates, as they stood on that date. How the models are
made, and what was seen of the test dates before, is told in [predictions.md](predictions.md).

{dates}

A family is all crates whose names begin with the same word: mostly one project's. Figures are on families never seen:
what is said of a crate comes from a model that no crate of its family has taught; tables by slice have the model as
shipped beside it. In [brackets]: 95 % of the resamples, which draw families, not crates.

## In short

On the newest test date. Our model is **ahead** where all of the interval of its gain over a method is above 0,
**behind** where it is below 0, and **not surely ahead** where it includes 0. Of signals and formulas, the one that did
best by that metric is shown; the last column counts all methods.

{summary}

ROC-AUC: how often a crate for which it came true stands above one for which it did not; 0.5 is chance. PR-AUC: average
precision; chance is the share for which it came true.

How far the model's probabilities can be taken as such:

{summary_of_probabilities}

Brier skill: how much less squared error than from always saying the share that came true (1 is perfect; below 0 is
worse). ECE: how far apart what was said and what came are on average, in ten groups by what was said. Accuracy says
"yes" from 0.5 on; the majority share is what always giving the more frequent answer would reach. Balanced accuracy says
"yes" above the mean probability, and is 50 % by chance.

{targets}
## What is compared

A formula is computed from what the source has; what is lacking counts neither for nor against. Signals and formulas
stand in the direction that ranks the tested crates better, even where a formula means the opposite.

{coverage}
"""

TARGET = """## {target}

{question} Asked on {test_as_of} of {crates:,} crates; it came true for {positives:,} ({share}).

How well each method ranks, and how far our model is ahead of it:

{ranking}

What is found in the first 100, 500, 1 % and 10 % (P: precision, the share that came true; R: recall, of all that did):

{top}

Methods that say a probability:

{probabilities}

Our model by kind of crate (for how many of how many it came true); dependents are families other than the crate's own:

{slices_ranking}

{slices_top}

{slices_probabilities}

Our model on every test date, learnt from what was known then:

{walk}

"""
SLICES = {"slices_ranking": "slices_ranking", "slices_top": "top", "slices_probabilities": "probabilities"}


def render(con: duckdb.DuckDBPyConnection) -> str:
    """The page, from the tables `walk_forward` and `snapshots` of a session."""
    attach_tests(con, con.sql("from walk_forward").to_arrow_table())
    (snapshot,) = con.sql("from snapshots").to_arrow_table().to_pylist()
    targets = run_script(con, QUERIES / "targets.sql").to_pylist()
    return PAGE.format(
        **snapshot,
        dates=markdown_table(con, "dates"),
        summary=markdown_table(con, "summary"),
        summary_of_probabilities=markdown_table(con, "summary_of_probabilities"),
        targets="".join(_section(con, facts) for facts in targets).rstrip("\n") + "\n",
        coverage=markdown_table(con, "coverage"),
    )


def _section(con: duckdb.DuckDBPyConnection, facts: dict) -> str:
    set_variables(con, target=facts["target"])
    _choose(con, "methods_of_target")
    of_methods = {name: markdown_table(con, name, "method") for name in ("ranking", "top", "probabilities")}
    _choose(con, "slices_of_target")
    of_slices = {name: markdown_table(con, query, "crates") for name, query in SLICES.items()}
    return TARGET.format(**facts, **of_methods, **of_slices, walk=markdown_table(con, "walk_of_target"))


def _choose(con: duckdb.DuckDBPyConnection, query: str) -> None:
    """Makes `chosen` (name, figures, place), which the tables of figures are of."""
    con.execute(f"create or replace temp table chosen as {(QUERIES / f'{query}.sql').read_text()}")
