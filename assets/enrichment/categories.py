"""The category of each text: its author's own, the nearest class's, or, where that is in doubt, a large model's."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from assets.enrichment.llm_calls import question
from resources.cache import Cache
from resources.language_model.model_files import ModelFile
from resources.language_model.questions import Question, Reply
from resources.language_model.text_embedding import vectors

if TYPE_CHECKING:
    from enrichment.category import Category, Classes
    from enrichment.drafts import CrateReading

# of 30 doubtful development texts the 1.5B model (1.12 GB) mends 7 and spoils 2, the 0.5B model (0.49 GB) 4 and 3
LEAST_BYTES = 1_000_000_000


def doubt(reading: CrateReading, category: Category, model: ModelFile) -> Question | None:
    """What to ask the model of a category; None where it is not in doubt, or the model is too small."""
    from enrichment.doubt import is_doubtful, messages, schema

    prompt = reading.prompt() if model.bytes >= LEAST_BYTES and is_doubtful(category) else None
    return question(messages(prompt[-1]["content"], category.nearest), schema(category.nearest)) if prompt else None


def category_columns(category: Category, reply: Reply | None) -> dict[str, Any]:
    """The columns of a category. `reply` is None where no model was asked of it; only a whole one counts."""
    from enrichment.doubt import chosen

    text = reply.text if reply and reply.is_final else None
    said = chosen(text, category.nearest) if text else None
    return {
        "category": said or category.slug,
        "category_source": "model" if said else category.source,
        "category_margin": category.margin,
        "category_prompt_sha256": reply.key if reply else None,
        "category_reply": text,
    }


def named(written: list[dict[str, Any]], readings: list[CrateReading], cache: Cache | None) -> list[Category]:
    """The author's own category of each text, else that of the nearest class."""
    from enrichment.category import UNKNOWN, of_author

    found = [of_author(text["categories"]) for text in written]
    compared = {
        place: compared
        for place, (text, reading) in enumerate(zip(written, readings))
        if found[place] == UNKNOWN and (compared := _compared(text, reading))
    }
    if compared:
        named = _classes(cache).categories(vectors(list(compared.values()), cache))
        for place, category in zip(compared, named):
            found[place] = category
    return found


@lru_cache(1)
def _classes(cache: Cache | None) -> Classes:
    from enrichment.category import Classes, class_texts

    return Classes(vectors(class_texts(), cache))


def _compared(text: dict[str, Any], reading: CrateReading) -> str:
    from enrichment.category import text_of

    return text_of(text["name"], text["description"], text["keywords"] or (), reading.readme, reading.language)
