"""The questions of docs/queries.md, their answers, and a command that updates the answers.

`python -m tools.query_docs [catalog]`; without a catalog, that of $CRATES_DATA.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from resources.common.settings import PROJECT, Settings

PAGE = PROJECT / "docs" / "queries.md"
HEADING = re.compile(r"^## (.+)\n", re.MULTILINE)
SQL = re.compile(r"```sql\n(.*?)```\n", re.DOTALL)
TEXT = re.compile(r"```text\n(.*?)```\n", re.DOTALL)


@dataclass(frozen=True)
class Question:
    """One section of the page: its heading, its query and the answer that it shows ('' if none yet)."""

    heading: str
    sql: str
    answer: str


def questions(page: str) -> list[Question]:
    """The sections of the page that hold a query, in order."""
    _, *parts = HEADING.split(page)
    sections = zip(parts[::2], parts[1::2], strict=True)
    return [
        Question(heading, sql, "".join(TEXT.findall(body))) for heading, body in sections for sql in SQL.findall(body)
    ]


def answer(con: duckdb.DuckDBPyConnection, sql: str) -> str:
    """A query's answer as text: a header and a line per row, in columns parted by `|`."""
    result = con.execute(sql)
    header = [column[0] for column in result.description or ()]
    rows = [header, *([_text(value) for value in row] for row in result.fetchall())]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def refreshed(page: str, catalog: Path) -> str:
    """The page with every answer as the catalog gives it now."""
    with duckdb.connect(str(catalog), read_only=True) as con:

        def with_answer(query: re.Match[str]) -> str:
            return f"{query[0]}\n```text\n{answer(con, query[1])}```\n"

        return SQL.sub(with_answer, re.sub(r"\n```text\n.*?```\n", "", page, flags=re.DOTALL))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def main() -> None:
    catalog = Path(sys.argv[1]) if len(sys.argv) > 1 else Settings.from_env().catalog
    if not catalog.exists():
        sys.exit(f"error: no catalog at {catalog}: run `crates demo` first")
    before = PAGE.read_text()
    PAGE.write_text(refreshed(before, catalog))
    changed = [new.heading for old, new in zip(questions(before), questions(PAGE.read_text())) if old != new]
    print("\n".join(f"new answer: {heading}" for heading in changed) or "all answers are as they were")


if __name__ == "__main__":
    main()
