"""What a crate is and is for in its author's own words: the method without a model."""

import re
from collections.abc import Iterable, Iterator

from enrichment.asides import is_aside
from enrichment.passages import Passage
from enrichment.sentences import shortened, titled
from enrichment.words import words

LONGEST_SUMMARY = 200  # characters
LONGEST_USE_CASE = 100
MOST_USE_CASES = 3
TELLING = 3
FIRST = 20  # sentences of a README among which one that defines the crate is looked for

# leans on a sentence before it
_LEANING = re.compile(
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
# each ends where the use begins
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
    """The first sentence that says what the crate is, at most 200 characters, and its passage; None if none does.

    A description of `TELLING` content words comes first, then a sentence of the README that defines ("is a",
    "provides", "A ...") among the first `FIRST`, a shorter description, the README's first sentence. Left out: what is
    about the project's state, the reader or the author, questions, leads to lists, what leans on the sentence before,
    and what says no more than the crate's name. A longer sentence is cut at a clause, or the next one is taken.
    """
    candidates = [p for p in passages if not is_aside(p.text) and _says_more(p.text, name)]
    described = [p for p in candidates if p.field == "description"]
    told = [p for p in candidates if p.field == "readme" and not p.item and not _LEANING.search(p.text)][:FIRST]
    defining = [p for p in told if _DEFINES.search(p.text)]
    telling = [p for p in described if len(words(p.text).content) >= TELLING]
    for passage in [*telling, *defining, *described, *told]:
        if short := shortened(passage.text, LONGEST_SUMMARY):
            is_name = short.split(" ", 1)[0].casefold() == name.casefold()
            return short if is_name else titled(short), passage
    return None


def use_cases(passages: Iterable[Passage]) -> list[tuple[str, Passage]]:
    """At most 3 uses that sentences name ("useful for", "use it to", "lets you", "for parsing") or that are listed
    under a heading such as "Use cases", with their passages; empty if none is named."""
    found: dict[frozenset, tuple[str, Passage]] = {}
    for passage in passages:
        for use in _uses(passage):
            content = words(use).content
            if len(content) > 1 and not any(content <= other or other <= content for other in found):
                found[content] = (use, passage)
                if len(found) == MOST_USE_CASES:
                    return list(found.values())
    return list(found.values())


def _uses(passage: Passage) -> Iterator[str]:
    if passage.item and _USE_SECTION.search(passage.section):
        yield from _use(passage.text)
        return
    if is_aside(passage.text):
        return
    found = next(_USE.finditer(passage.text), None)
    if found and not _NEGATED.search(passage.text, 0, found.start()):
        yield from _use(passage.text[found.end() :])


def _use(text: str) -> Iterator[str]:
    """A use up to the end of its clause, as a title."""
    end = _USE_END.search(text)
    short = shortened(text[: end.start()] if end else text, LONGEST_USE_CASE, 10)
    if short:
        short = short.rstrip(".。")
        yield titled(short)


def _says_more(text: str, name: str) -> bool:
    own = {form for form, _ in words(name.replace("-", " ").replace("_", " ")).all}
    return any(form not in own for form, _ in words(text).all)
