"""docs/backtest.md: fixed sentences, with every number from the queries in `assets/sql/backtest/`."""

import duckdb

from assets.predictions.report_tables import QUERIES, attach_tests, markdown_table
from resources.warehouse.session import run_script, set_variables

PAGE = """# Backtest

Written by `crates backtest` from the table `walk_forward`. Every number is computed; the same data give the same page.
Registry: {source}, snapshot of {taken_at} UTC, advisories up to {advisories_read_at} UTC (sha256 {source_sha256:.16}).

Each test repeats the past: a model is trained on what was known on the test date, predicts an outcome for each crate,
and is compared with what happened. All methods get the same crates with the features of that date.
[predictions.md](predictions.md) describes the models, and what was seen of the test dates before.

{dates}

A family is the set of crates whose names begin with the same word, mostly those of one project. Metrics are on unseen
families: each crate is predicted by a model that was trained without its family. The tables by slice also have the
released model. Brackets contain 95% of the resamples, which draw whole families.

## Summary

For the newest test date. Our model is **ahead** of a method if the whole interval of its gain is above 0, **behind** if
it is below 0, and **not clearly ahead** if it includes 0. Of signals and formulas, the best one by the metric is shown.
The last column counts all methods.

{summary}

ROC-AUC is the share of pairs of a positive and a negative crate in which the positive one is ranked first; 0.5 is
chance. PR-AUC is the average precision; chance is the share of positives.

The quality of the model's probabilities:

{summary_of_probabilities}

Brier skill is the reduction of the squared error compared with predicting the share of positives for every crate: 1 is
perfect, and below 0 is worse. ECE is the mean difference between predicted and observed share in ten groups sorted by
prediction. Accuracy predicts a positive from a probability of 0.5 on; the majority share is what always predicting the
more frequent class achieves. Balanced accuracy predicts a positive above the mean probability, and is 50% by chance.

{targets}
## Methods

A formula is computed from the columns that the source has; missing parts count neither for nor against a crate. Signals
and formulas are used in the direction that ranks the tested crates better, even if a formula means the opposite.

{coverage}
"""

TARGET = """## {target}

{question} Tested on {test_as_of} for {crates:,} crates: {positives:,} positives ({share}).

Ranking by each method, and the gain of our model over it:

{ranking}

The first 100, 500, 1% and 10% of the ranking. P is precision, the share of positives among them; R is recall, the share
of all positives that are among them:

{top}

Methods that predict a probability:

{probabilities}

Our model by group of crates (positives of crates); dependents are other families that depend on the crate:

{slices_ranking}

{slices_top}

{slices_probabilities}

Our model on every test date, trained on what was known by then:

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
    """Creates `chosen` (name, figures, place): the rows of the following tables."""
    con.execute(f"create or replace temp table chosen as {(QUERIES / f'{query}.sql').read_text()}")
