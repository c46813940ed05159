"""The parts of a row: what the model's reply is worth, else the text's own sentences, and the category."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from assets.enrichment.replies import columns_of
from resources.language_model import Reply
from resources.text_embedding import vectors

if TYPE_CHECKING:
    from ml.enrichment.category import Category, Classes
    from ml.enrichment.drafts import CrateReading, Draft


def drafted(reading: CrateReading, reply: Reply | None) -> dict[str, Any]:
    """The columns that summary and use cases come with. `reply` is None where no model was asked."""
    draft, error = _grounded(reading, reply)
    return {
        **asdict(draft or reading.extract()),
        "method": "llama_cpp" if draft else "extractive",
        "error": error,
        **columns_of(reply),
    }


def _grounded(reading: CrateReading, reply: Reply | None) -> tuple[Draft | None, str | None]:
    """What of a reply the text supports; or None, and why."""
    from ml.enrichment.answer import InvalidAnswer

    if reply is None or reply.text is None:
        return None, reply and reply.error
    try:
        return reading.ground(reply.text, reply.finish_reason), None
    except InvalidAnswer as error:
        return None, error.reason


def categories_of(written: list[dict[str, Any]], readings: list[CrateReading]) -> list[Category]:
    """The author's own category of each text, else that of the nearest class."""
    from ml.enrichment.category import UNKNOWN, of_author

    found = [of_author(text["categories"]) for text in written]
    compared = {
        place: compared
        for place, (text, reading) in enumerate(zip(written, readings))
        if found[place] == UNKNOWN and (compared := _compared(text, reading))
    }
    if compared:
        named = _classes().categories(vectors(list(compared.values())))
        for place, category in zip(compared, named):
            found[place] = category
    return found


@cache
def _classes() -> Classes:
    from ml.enrichment.category import Classes, class_texts

    return Classes(vectors(class_texts()))


def _compared(text: dict[str, Any], reading: CrateReading) -> str:
    from ml.enrichment.category import text_of

    return text_of(text["name"], text["description"], text["keywords"] or (), reading.readme, reading.language)
