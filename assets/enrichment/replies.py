"""How replies of the language model stand in a row of the table, and are read from there."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from resources.language_model.questions import Reply

OTHERWISE = {"key": "prompt_sha256", "text": "reply"}
# the column of each field; a row's `error` is also that of an answer which cannot be used
COLUMNS = {f.name: OTHERWISE.get(f.name, f.name) for f in fields(Reply) if f.name != "error"}


def columns_of(reply: Reply | None) -> dict[str, Any]:
    """The columns that hold the reply on summary and uses, all None where there is none."""
    return {column: reply and getattr(reply, name) for name, column in COLUMNS.items()}


def replies_in(row: dict[str, Any]) -> Iterator[Reply]:
    """The replies that a row holds."""
    if row["reply"] is not None:
        yield Reply(**{name: row[column] for name, column in COLUMNS.items()})
    if row["category_reply"] is not None:
        # only whole ones are there, and what one took is told nowhere
        yield Reply(row["category_prompt_sha256"], row["model"], "", 0.0, row["category_reply"], "stop")
