"""The prompt for a category that the embedding is uncertain of. Any change of it needs a new PROMPT_VERSION.

Measured on benchmarks/golden/dev_labels.csv: see docs/enrichment.md.
"""

import json
from typing import Any

from enrichment.category import Category, category_descriptions

# below it a 1.5B model is right more often than the embedding, above it as often
MAX_UNCERTAIN_MARGIN = 0.03
SYSTEM = (
    "You file Rust crates under one category of the registry. "
    "Answer in JSON with the category that says best what the crate is for."
)


def is_uncertain(category: Category) -> bool:
    """Whether the embedding chose the category by a small margin. An unknown category is not uncertain."""
    return category.source == "embedding" and category.margin is not None and category.margin < MAX_UNCERTAIN_MARGIN


def messages(about: str, nearest: tuple[str, ...]) -> tuple[dict[str, str], ...]:
    """The messages of the prompt. `about` is the last message of the crate's summary prompt, `nearest` are slugs."""
    listed = "\n".join(f"- {slug}: {category_descriptions()[slug][0]}" for slug in nearest)
    return {"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{about}\n\nCategories:\n{listed}"}


def schema(nearest: tuple[str, ...]) -> dict[str, Any]:
    """The JSON schema of the reply."""
    properties = {"category": {"enum": list(nearest)}}
    return {"type": "object", "properties": properties, "required": list(properties)}


def chosen(reply: str, nearest: tuple[str, ...]) -> str | None:
    """The slug in a reply; None if it is not one of `nearest`."""
    try:
        answer = json.loads(reply)
    except (ValueError, RecursionError):
        return None
    slug = answer.get("category") if isinstance(answer, dict) else None
    return slug if slug in nearest else None
