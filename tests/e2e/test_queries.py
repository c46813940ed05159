"""docs/queries.md shows what the warehouse answers: every query runs, and every answer is the real one."""

from collections.abc import Iterator

import duckdb
import pytest

from resources.common.settings import Settings
from tools.query_docs import PAGE, Question, answer, questions

QUESTIONS = questions(PAGE.read_text())


@pytest.fixture(scope="module")
def catalog(demo: tuple[Settings, str]) -> Iterator[duckdb.DuckDBPyConnection]:
    settings, _ = demo
    with duckdb.connect(str(settings.catalog), read_only=True) as con:
        yield con


def test_there_are_ten_different_questions() -> None:
    assert len(QUESTIONS) == len({question.heading for question in QUESTIONS}) == 10


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.heading)
def test_the_page_shows_the_answer(question: Question, catalog: duckdb.DuckDBPyConnection) -> None:
    now = answer(catalog, question.sql)
    assert len(now.splitlines()) > 1, f"no row answers: {question.heading}"
    assert now == question.answer, (
        f"docs/queries.md is out of date at: {question.heading}\n"
        "run `python -m tools.query_docs` after `make demo`, or paste this into its ```text block:\n\n" + now
    )
