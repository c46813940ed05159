"""The category of each text: the author's own, the nearest one, or one that a large model chose among the nearest."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from assets.enrichment.llm_calls import question
from resources.cache import Cache
from resources.language_model.model_files import ModelFile
from resources.language_model.questions import Question, Reply
from resources.language_model.text_embedding import embed_texts

if TYPE_CHECKING:
    from enrichment.category import Category, CategoryClassifier
    from enrichment.crate_reading import CrateReading

# of 30 uncertain development texts the 1.5B model (1.12 GB) corrects 7 and spoils 2, the 0.5B model (0.49 GB) 4 and 3
MIN_MODEL_BYTES = 1_000_000_000


def category_question(reading: CrateReading, category: Category, model: ModelFile) -> Question | None:
    """The question about a category; None if the category is certain or the model too small."""
    from enrichment.category_prompt import is_uncertain, messages, schema

    prompt = reading.prompt() if model.bytes >= MIN_MODEL_BYTES and is_uncertain(category) else None
    return question(messages(prompt[-1]["content"], category.nearest), schema(category.nearest)) if prompt else None


def category_columns(category: Category, reply: Reply | None) -> dict[str, Any]:
    """The columns of a category. `reply` is None if no model was asked; only a final one counts."""
    from enrichment.category_prompt import chosen

    text = reply.text if reply and reply.is_final else None
    by_model = chosen(text, category.nearest) if text else None
    return {
        "category": by_model or category.slug,
        "category_source": "model" if by_model else category.source,
        "category_margin": category.margin,
        "category_prompt_sha256": reply.key if reply else None,
        "category_reply": text,
    }


def classify(texts: list[dict[str, Any]], readings: list[CrateReading], cache: Cache | None) -> list[Category]:
    """The author's own category of each text, else the nearest one."""
    from enrichment.category import UNKNOWN, author_category

    categories = [author_category(text["categories"]) for text in texts]
    to_embed = {
        number: compared
        for number, (text, reading) in enumerate(zip(texts, readings))
        if categories[number] == UNKNOWN and (compared := _text_to_embed(text, reading))
    }
    if to_embed:
        predicted = _classifier(cache).predict(embed_texts(list(to_embed.values()), cache))
        for number, category in zip(to_embed, predicted):
            categories[number] = category
    return categories


@lru_cache(1)
def _classifier(cache: Cache | None) -> CategoryClassifier:
    from enrichment.category import CategoryClassifier, all_descriptions

    return CategoryClassifier(embed_texts(all_descriptions(), cache))


def _text_to_embed(text: dict[str, Any], reading: CrateReading) -> str:
    from enrichment.category import text_to_embed

    return text_to_embed(text["name"], text["description"], text["keywords"] or (), reading.readme, reading.language)
