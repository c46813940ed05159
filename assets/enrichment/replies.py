"""Replies of the language model as columns of the table."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from resources.language_model.questions import Reply

_RENAMED = {"key": "prompt_sha256", "text": "reply"}
# the column of each field, except `error`: the column also has the reasons why a reply cannot be used
COLUMNS = {field.name: _RENAMED.get(field.name, field.name) for field in fields(Reply) if field.name != "error"}


def reply_columns(reply: Reply | None) -> dict[str, Any]:
    """The columns of the reply on summary and use cases; all None if there is no reply."""
    return {column: reply and getattr(reply, name) for name, column in COLUMNS.items()}


def replies_in(row: dict[str, Any]) -> Iterator[Reply]:
    """The replies in a row: on summary and use cases, and on the category."""
    if row["reply"] is not None:
        yield Reply(**{name: row[column] for name, column in COLUMNS.items()})
    if row["category_reply"] is not None:
        # the table has only final ones, without the tokens and seconds that they took
        key, model, text = row["category_prompt_sha256"], row["model"], row["category_reply"]
        yield Reply(key, model, runtime="", seconds=0.0, text=text, finish_reason="stop")
