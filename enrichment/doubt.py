"""What a language model is asked of a category that the embedding doubts. A change here is a new PROMPT_VERSION.

Measured on benchmarks/golden/dev_labels.csv: docs/enrichment.md has the figures.
"""

import json
from typing import Any

from enrichment.category import Category, classes

# below it a 1.5B model is more often right than the embedding; above it, they are right as often as each other
DOUBTFUL = 0.03
SYSTEM = (
    "You file Rust crates under one category of the registry. "
    "Answer in JSON with the category that says best what the crate is for."
)


def is_doubtful(category: Category) -> bool:
    """Whether the embedding named the category, and hardly before the next. What is near nothing stays unknown."""
    return category.source == "embedding" and category.margin is not None and category.margin < DOUBTFUL


def messages(about: str, nearest: tuple[str, ...]) -> tuple[dict[str, str], ...]:
    """What to ask of a crate: `about` is what the prompt for its summary says of it, `nearest` are slugs of classes."""
    listed = "\n".join(f"- {slug}: {classes()[slug][0]}" for slug in nearest)
    return {"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{about}\n\nCategories:\n{listed}"}


def schema(nearest: tuple[str, ...]) -> dict[str, Any]:
    """What the answer must be."""
    named = {"category": {"enum": list(nearest)}}
    return {"type": "object", "properties": named, "required": list(named)}


def chosen(reply: str, nearest: tuple[str, ...]) -> str | None:
    """The slug that a reply names; None if it names none of those it was asked of."""
    try:
        said = json.loads(reply)
    except (ValueError, RecursionError):
        return None
    slug = said.get("category") if isinstance(said, dict) else None
    return slug if slug in nearest else None
