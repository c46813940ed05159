"""A category that the embedding is uncertain of: when a model is asked, and which replies count."""

import pytest

from enrichment import category_prompt
from enrichment.category import UNKNOWN, Category

NEAREST = ("parsing", "encoding", "config")


@pytest.mark.parametrize(
    ("category", "is_uncertain"),
    [
        (Category("parsing", 0.001, "embedding", NEAREST), True),
        (Category("parsing", category_prompt.MAX_UNCERTAIN_MARGIN, "embedding", NEAREST), False),
        (Category("parsing", None, "author"), False),
        (UNKNOWN, False),
    ],
)
def test_category_is_uncertain_below_a_margin(category: Category, is_uncertain: bool) -> None:
    assert category_prompt.is_uncertain(category) is is_uncertain


@pytest.mark.parametrize(
    ("reply", "slug"),
    [
        ('{"category": "encoding"}', "encoding"),
        ('{"category": "gui"}', None),
        ('{"category": ["encoding"]}', None),
        ('["encoding"]', None),
        ('{"category": "enc', None),
        ("[" * 100_000, None),
    ],
)
def test_only_an_offered_category_is_chosen(reply: str, slug: str | None) -> None:
    assert category_prompt.chosen(reply, NEAREST) == slug
