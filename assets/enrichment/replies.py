"""How a reply of the language model stands in a row of the table, and is read from there."""

from dataclasses import fields
from typing import Any

from resources.language_model import Reply

OTHERWISE = {"key": "prompt_sha256", "text": "reply"}
# the column of each field; a row's `error` is also that of an answer which cannot be used
COLUMNS = {f.name: OTHERWISE.get(f.name, f.name) for f in fields(Reply) if f.name != "error"}


def columns_of(reply: Reply | None) -> dict[str, Any]:
    """The columns that hold a reply, all None where there is none."""
    return {column: reply and getattr(reply, name) for name, column in COLUMNS.items()}


def reply_in(row: dict[str, Any]) -> Reply:
    """The reply that a row of `prompt_sha256` holds; its `text` is None where none came."""
    return Reply(**{name: row[column] for name, column in COLUMNS.items()})
