"""The category of a crate: its author's own, or the class whose descriptions its text is nearest to."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

CLASSES = Path(__file__).with_name("categories.toml")
# below this similarity a text is near nothing: what it says is not what crates are for
LEAST_SIMILARITY = 0.2
README_CHARACTERS = 300
# every crate is one: the word only draws its text to classes that speak of the language
COMMON = re.compile(r"\b(?:(?:pure|native|safe|idiomatic)[ -])?rust\b|\bcrates?\b", re.IGNORECASE)
# what a crate works with and not what it is for: the author's choice only where there is no other
BESIDE = frozenset({"no-std", "wasm", "rust-patterns", "external-ffi-bindings", "api-bindings"})


@dataclass(frozen=True)
class Category:
    """`slug` is None where nothing is known. `margin` is how much nearer it is than the next class (cosine)."""

    slug: str | None
    margin: float | None
    source: Literal["author", "embedding"] | None


UNKNOWN = Category(None, None, None)


@cache
def classes() -> dict[str, list[str]]:
    """The descriptions of each top-level category of crates.io."""
    return tomllib.loads(CLASSES.read_text())


def class_texts() -> list[str]:
    """All descriptions, in the order that `nearest` expects their vectors in."""
    return [text for texts in classes().values() for text in texts]


def text_of(name: str, description: str | None, keywords: Iterable[str], readme: str) -> str:
    """What of a crate is compared: '' if it says nothing. `readme` is the README's prose."""
    told = " ".join(filter(None, [description, readme[:README_CHARACTERS]])).strip()
    words = " ".join(keywords)
    said = f"{name.replace('-', ' ').replace('_', ' ')}: {told} {words}"
    return " ".join(COMMON.sub(" ", said).split()) if told or words else ""


def of_author(slugs: Sequence[str] | None) -> Category:
    """The first of the author's categories that says what the crate is for, at the top level."""
    known = [top for slug in slugs or () if (top := slug.split("::")[0]) in classes()]
    telling = [slug for slug in known if slug not in BESIDE]
    return Category((telling or known)[0], None, "author") if known else UNKNOWN


def nearest(vectors: "np.ndarray", class_vectors: "np.ndarray") -> list[Category]:
    """The class of each text: [n, d] and [len(class_texts()), d], all of length 1."""
    slugs, scores = scores_of(vectors, class_vectors)
    found = []
    for row in scores:
        second, first = row.argsort()[-2:]
        known = row[first] >= LEAST_SIMILARITY
        margin = float(row[first] - row[second])
        found.append(Category(slugs[first], round(margin, 6), "embedding") if known else UNKNOWN)
    return found


def scores_of(vectors: "np.ndarray", class_vectors: "np.ndarray") -> tuple[list[str], "np.ndarray"]:
    """The slugs, and the similarity of each text to each: that of the class's nearest description, and a little of the
    mean, since one description alone may be near by chance."""
    import numpy as np

    similar, start, columns = vectors @ class_vectors.T, 0, []
    for texts in classes().values():
        of_class = similar[:, start : start + len(texts)]
        columns.append(NEAREST * of_class.max(axis=1) + (1 - NEAREST) * of_class.mean(axis=1))
        start += len(texts)
    return list(classes()), np.stack(columns, axis=1)


NEAREST = 0.7  # chosen on benchmarks/golden/dev_labels.csv
