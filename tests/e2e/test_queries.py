"""docs/queries.md: every query runs and returns rows; on the whole registry, the rows of the page."""

from collections.abc import Iterator

import duckdb
import pytest

from testing.demo_run import Demo
from tools.query_docs import PAGE, Question, answer, questions

QUESTIONS = questions(PAGE.read_text())


@pytest.fixture(scope="module")
def catalog(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo.settings.catalog), read_only=True) as con:
        yield con


@pytest.fixture(scope="module")
def whole_catalog(whole_demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(whole_demo.settings.catalog), read_only=True) as con:
        yield con


def test_page_has_ten_different_questions() -> None:
    assert len(QUESTIONS) == len({question.heading for question in QUESTIONS}) == 10


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.heading)
def test_query_returns_rows_with_the_columns_of_the_page(
    question: Question, catalog: duckdb.DuckDBPyConnection
) -> None:
    now = answer(catalog, question.sql).splitlines()
    assert len(now) > 1, f"no rows: {question.heading}"
    assert now[0].split() == question.answer.splitlines()[0].split()


@pytest.mark.slow
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.heading)
def test_page_shows_the_answer(question: Question, whole_catalog: duckdb.DuckDBPyConnection) -> None:
    now = answer(whole_catalog, question.sql)
    assert len(now.splitlines()) > 1, f"no rows: {question.heading}"
    assert now == question.answer, (
        f"docs/queries.md is out of date at: {question.heading}\n"
        "run `python -m tools.query_docs` after `make demo`, or paste this into its ```text block:\n\n" + now
    )
