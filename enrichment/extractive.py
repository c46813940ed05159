"""The method without a model: summary and use cases are sentences of the author."""

import re
from collections.abc import Iterable, Iterator

from enrichment.asides import is_aside
from enrichment.passages import Passage
from enrichment.sentences import shortened, titled
from enrichment.words import words

MAX_SUMMARY_CHARACTERS = 200
MAX_USE_CASE_CHARACTERS = 100
MAX_USE_CASES = 3
MIN_DESCRIPTION_WORDS = 3  # content words of a description that comes before all sentences of the README
MAX_README_SENTENCES = 20  # that are searched for one that defines the crate

# refers to the sentence before it
_DEPENDENT = re.compile(
    r"^(?:it|they|these|those|however|but|also|so|then|instead|therefore|thus|here|there|if|when|once|after|before|"
    r"first|next|and|or|because|since|as|for example|in addition|additionally|furthermore|that|to|by default)\b",
    re.IGNORECASE,
)
_DEFINES = re.compile(
    r"^(?:this (?:crate|library)|[\w-]+) [a-z]{3,}s\b|^(?:an?|the|yet another)\b|\b(?:is|are|"
    r"provides?|implements?|offers?|allows?|lets?|enables?|contains?|adds?|"
    r"gives?|helps?|exposes?|wraps?|generates?|parses?|bindings?|library|crate|framework|implementation)\b",
    re.IGNORECASE,
)

_IT = r"(?:it|this|the crate|the library|this crate|this library|this tool)"
_WHO = r"(?:you|users|programs|programmers|developers|applications|one|code) "
# the use case begins where each of these ends
_USE = re.compile(
    r"\b(?:useful|handy|ideal|perfect|suitable|suited|designed|intended|meant|great|helpful) (?:for|when|to) |"
    r"\b(?:can|could|may|might|to|is|are|be) (?:also )?(?:be )?used (?:to|for|in|when) |"
    rf"\buse {_IT} (?:to|for|when|if) |\b(?:lets|allows|enables|helps) {_WHO}(?:to )?|"
    r"\bmakes it (?:easy|easier|simple|possible|trivial) to |\bfor (?=[a-z]{2,}ing )",
    re.IGNORECASE,
)
_USE_SECTION = re.compile(r"use[- ]?cases?|uses\b|when to use|what .*\bfor\b|applications$", re.IGNORECASE)
_USE_END = re.compile(r"[.;:!?(–—](?= |$)|\(| (?:but|which|because|while|so that|although|however|without having) ")
_NEGATED = re.compile(r"\b(?:not|never|no longer|cannot|isn't|don't|doesn't|can't|nor)\b[^,;:.]*$", re.IGNORECASE)


def summary(passages: Iterable[Passage], name: str) -> tuple[str, Passage] | None:
    """The best sentence about the crate, at most `MAX_SUMMARY_CHARACTERS`, and its passage; None if there is none.

    The order is: a description of `MIN_DESCRIPTION_WORDS` content words; a sentence of the README that defines the
    crate ("is a", "provides", "A ..."); a shorter description; the first sentence of the README. Asides (see
    `is_aside`), sentences that refer to the one before, and repetitions of the crate's name are left out. A sentence
    that is too long is cut at a clause, or the next one is tried.
    """
    candidates = [p for p in passages if not is_aside(p.text) and _is_more_than(p.text, name)]
    described = [p for p in candidates if p.field == "description"]
    sentences = [p for p in candidates if p.field == "readme" and not p.is_item and not _DEPENDENT.search(p.text)][
        :MAX_README_SENTENCES
    ]
    defining = [p for p in sentences if _DEFINES.search(p.text)]
    long = [p for p in described if len(words(p.text).content) >= MIN_DESCRIPTION_WORDS]
    for passage in [*long, *defining, *described, *sentences]:
        if short := shortened(passage.text, MAX_SUMMARY_CHARACTERS):
            is_name = short.split(" ", 1)[0].casefold() == name.casefold()
            return short if is_name else titled(short), passage
    return None


def use_cases(passages: Iterable[Passage]) -> list[tuple[str, Passage]]:
    """At most `MAX_USE_CASES` use cases with their passages.

    They are named in sentences ("useful for", "use it to", "lets you", "for parsing") or are items under a heading such
    as "Use cases".
    """
    found: dict[frozenset, tuple[str, Passage]] = {}
    for passage in passages:
        for use in _uses(passage):
            content = words(use).content
            if len(content) > 1 and not any(content <= other or other <= content for other in found):
                found[content] = (use, passage)
                if len(found) == MAX_USE_CASES:
                    return list(found.values())
    return list(found.values())


def _uses(passage: Passage) -> Iterator[str]:
    if passage.is_item and _USE_SECTION.search(passage.section):
        yield from _use(passage.text)
        return
    if is_aside(passage.text):
        return
    found = next(_USE.finditer(passage.text), None)
    if found and not _NEGATED.search(passage.text, 0, found.start()):
        yield from _use(passage.text[found.end() :])


def _use(text: str) -> Iterator[str]:
    """The use case at the start of `text`, up to the end of its clause."""
    end = _USE_END.search(text)
    short = shortened(text[: end.start()] if end else text, MAX_USE_CASE_CHARACTERS, 10)
    if short:
        short = short.rstrip(".。")
        yield titled(short)


def _is_more_than(text: str, name: str) -> bool:
    own = {form for form, _ in words(name.replace("-", " ").replace("_", " ")).all}
    return any(form not in own for form, _ in words(text).all)
