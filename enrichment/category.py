"""The category of a crate: its author's own, or the class whose descriptions its text is nearest to."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.linear_model import LogisticRegression

CLASSES = Path(__file__).with_name("categories.toml")
# the least of any text of benchmarks/golden/dev_labels.csv: below it a text is near nothing that crates are for
LEAST_SIMILARITY = 0.35
# chosen on benchmarks/golden/dev_labels.csv, as the similarity above
STRENGTH, PARTING = 1.0, 0.05
NEAREST = 3  # classes: the right one is nearly always among them
README_CHARACTERS = 300
# every crate is one: the word only draws its text to classes that speak of the language
COMMON = re.compile(r"\b(?:(?:pure|native|safe|idiomatic)[ -])?rust\b|\bcrates?\b", re.IGNORECASE)
# what a crate works with and not what it is for: the author's choice only where there is no other
BESIDE = frozenset({"no-std", "wasm", "rust-patterns", "external-ffi-bindings", "api-bindings"})


@dataclass(frozen=True)
class Category:
    """`slug` is None where nothing is known. `margin` is how far its score is above the next class's; `nearest` are the
    slugs of the classes with the best scores, the best first."""

    slug: str | None
    margin: float | None
    source: Literal["author", "embedding"] | None
    nearest: tuple[str, ...] = ()


UNKNOWN = Category(None, None, None)


@cache
def classes() -> dict[str, list[str]]:
    """The descriptions of each top-level category of crates.io."""
    return tomllib.loads(CLASSES.read_text())


def class_texts() -> list[str]:
    """All descriptions, in the order that `Classes` expects their vectors in."""
    return [text for texts in classes().values() for text in texts]


def text_of(
    name: str, description: str | None, keywords: Iterable[str], readme: str, language: str | None = None
) -> str:
    """What of a crate is compared: '' if it says nothing. `readme` is the README's prose, `language` that of both: the
    embedding reads English only, so of others name and keywords are all there is."""
    prose = [description, readme[:README_CHARACTERS]] if language in (None, "en") else []
    told = " ".join(filter(None, prose)).strip()
    words = " ".join(keywords)
    said = f"{name.replace('-', ' ').replace('_', ' ')}: {told} {words}"
    return " ".join(COMMON.sub(" ", said).split()) if told or words else ""


def of_author(slugs: Sequence[str] | None) -> Category:
    """The first of the author's categories that says what the crate is for, at the top level."""
    known = [top for slug in slugs or () if (top := slug.split("::")[0]) in classes()]
    telling = [slug for slug in known if slug not in BESIDE]
    return Category((telling or known)[0], None, "author") if known else UNKNOWN


class Classes:
    """The classes as their descriptions' vectors [len(class_texts()), d], all of length 1."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.slugs = list(classes())
        self._vectors = vectors
        self._of = np.repeat(np.arange(len(self.slugs)), [len(texts) for texts in classes().values()])
        # what parts the classes, where nearness to one description may be chance
        self._parting = LogisticRegression(C=STRENGTH, max_iter=5000).fit(vectors, self._of)

    def similarity(self, vectors: np.ndarray) -> np.ndarray:
        """[n, classes]: nearness to the nearest description of each class."""
        to_each = vectors @ self._vectors.T
        columns = [to_each[:, self._of == number] for number in range(len(self.slugs))]
        return np.stack([column.max(axis=1) for column in columns], axis=1)

    def categories(self, vectors: np.ndarray) -> list[Category]:
        """The category of each text [n, d] of length 1."""
        similar = self.similarity(vectors)
        found = []
        for near, row in zip(similar, similar + PARTING * self._parting.predict_log_proba(vectors)):
            first, second, *others = row.argsort()[::-1][:NEAREST]
            nearest = tuple(self.slugs[number] for number in (first, second, *others))
            known = near[first] >= LEAST_SIMILARITY
            margin = round(float(row[first] - row[second]), 6)
            found.append(Category(nearest[0], margin, "embedding", nearest) if known else UNKNOWN)
        return found
