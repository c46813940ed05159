"""The category of a crate: the author's own, or the one with the descriptions that are nearest to the crate's text."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.linear_model import LogisticRegression

DESCRIPTIONS = Path(__file__).with_name("categories.toml")
# the lowest of all texts of benchmarks/golden/dev_labels.csv: a text below it is near to no category
MIN_SIMILARITY = 0.35
# chosen on benchmarks/golden/dev_labels.csv too: C of the regression, and the weight of its log-probability
REGULARIZATION, REGRESSION_WEIGHT = 1.0, 0.05
MAX_NEAREST = 3  # the right category is nearly always among them
MAX_README_CHARACTERS = 300
# true of every crate: the words would move each text towards categories that mention the language
RUST_WORDS = re.compile(r"\b(?:(?:pure|native|safe|idiomatic)[ -])?rust\b|\bcrates?\b", re.IGNORECASE)
# how a crate is built, not what it is for: the author's choice only if it is the only one
SECONDARY = frozenset({"no-std", "wasm", "rust-patterns", "external-ffi-bindings", "api-bindings"})


@dataclass(frozen=True)
class Category:
    """A top-level category of crates.io; `slug` is None if it is unknown.

    `margin` is its score minus that of the next category. `nearest` are the categories with the highest scores, the
    highest first.
    """

    slug: str | None
    margin: float | None
    source: Literal["author", "embedding"] | None
    nearest: tuple[str, ...] = ()


UNKNOWN = Category(None, None, None)


@cache
def category_descriptions() -> dict[str, list[str]]:
    """The descriptions of each top-level category of crates.io."""
    return tomllib.loads(DESCRIPTIONS.read_text())


def all_descriptions() -> list[str]:
    """The descriptions of all categories, in the order of the vectors that `CategoryClassifier` takes."""
    return [text for texts in category_descriptions().values() for text in texts]


def text_to_embed(
    name: str, description: str | None, keywords: Iterable[str], readme: str, language: str | None = None
) -> str:
    """The text of a crate that is compared with the descriptions; '' if the crate has none.

    `readme` is the README's prose, `language` that of description and README. The embedding reads English only: of
    other languages, name and keywords alone are used.
    """
    prose = [description, readme[:MAX_README_CHARACTERS]] if language in (None, "en") else []
    sentences = " ".join(filter(None, prose)).strip()
    words = " ".join(keywords)
    text = f"{name.replace('-', ' ').replace('_', ' ')}: {sentences} {words}"
    return " ".join(RUST_WORDS.sub(" ", text).split()) if sentences or words else ""


def author_category(slugs: Sequence[str] | None) -> Category:
    """The first of the author's categories that says what the crate is for, at the top level; else the first one."""
    known = [top for slug in slugs or () if (top := slug.split("::")[0]) in category_descriptions()]
    primary = [slug for slug in known if slug not in SECONDARY]
    return Category((primary or known)[0], None, "author") if known else UNKNOWN


class CategoryClassifier:
    """Classifies texts by the vectors of the descriptions [len(all_descriptions()), d], all of length 1."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.slugs = list(category_descriptions())
        self._vectors = vectors
        counts = [len(texts) for texts in category_descriptions().values()]
        self._categories = np.repeat(np.arange(len(self.slugs)), counts)
        # separates the categories; the similarity to one description may be chance
        self._regression = LogisticRegression(C=REGULARIZATION, max_iter=5000).fit(vectors, self._categories)

    def similarity(self, vectors: np.ndarray) -> np.ndarray:
        """[n, categories]: the similarity to the nearest description of each category."""
        to_each = vectors @ self._vectors.T
        columns = [to_each[:, self._categories == number] for number in range(len(self.slugs))]
        return np.stack([column.max(axis=1) for column in columns], axis=1)

    def predict(self, vectors: np.ndarray) -> list[Category]:
        """The category of each text [n, d], of length 1."""
        similarities = self.similarity(vectors)
        scores = similarities + REGRESSION_WEIGHT * self._regression.predict_log_proba(vectors)
        found = []
        for similarity, score in zip(similarities, scores):
            first, second, *others = score.argsort()[::-1][:MAX_NEAREST]
            nearest = tuple(self.slugs[number] for number in (first, second, *others))
            margin = round(float(score[first] - score[second]), 6)
            is_known = similarity[first] >= MIN_SIMILARITY
            found.append(Category(nearest[0], margin, "embedding", nearest) if is_known else UNKNOWN)
        return found
