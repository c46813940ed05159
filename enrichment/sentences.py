"""Where sentences and clauses end."""

import re
from collections.abc import Iterator

MAX_SENTENCE_CHARACTERS = 400  # a longer sentence is cut at a clause or a word

# a stop with its closing quotes, then a space (Chinese and Japanese write none)
_STOP = re.compile(r"[.!?…]+[\"'”’»)\]]*(?= |$)|[。！？]+[」』”）]*")
_ABBREVIATED = re.compile(r"(?:^|[\s(])(?:e\.g|i\.e|vs|cf|incl|resp|approx|eg|ie|aka|[A-Z])\.$", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;:，；：、](?= |$)|[，；、]| [–—-]{1,2}(?= )|—")
_ADDITION = re.compile(
    r"[,;:] | [–—-] | (?=(?:and|with|without|using|for|including|that|which|while|by|in|on|via|through|or) )|[，；、]"
)
# words that no sentence ends in
_DANGLING = re.compile(
    r"\b(?:based|used|built|written|designed|suited|intended|meant|useful|such|as|is|are|be|to|of|the|an?|not|no|"
    r"without|with|for|in|on|by|and|or|that|which|from|via|using|including|depend\w*|rel(?:y|ies))$",
    re.IGNORECASE,
)
FULL_STOPS = ".!?…。！？"
_PAIRED = {")": "(", "]": "[", "）": "（", "」": "「", "』": "『", "”": "“", "»": "«"}


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence of a text on one line, without the spaces around it."""
    start = 0
    for found in _STOP.finditer(text):
        end = found.end()
        following = text[end : end + 2].strip()
        if following[:1].islower() or _ABBREVIATED.search(text, max(start, found.start() - 10), found.start() + 1):
            continue
        yield from _bounded(text, start, end)
        start = end
    yield from _bounded(text, start, len(text))


def _bounded(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while True:
        while start < end and text[start] == " ":
            start += 1
        while start < end and text[end - 1] == " ":
            end -= 1
        if end - start <= MAX_SENTENCE_CHARACTERS:
            break
        cut = _last_clause(text, start, start + MAX_SENTENCE_CHARACTERS) or text.rfind(
            " ", start, start + MAX_SENTENCE_CHARACTERS
        )
        if cut <= start:
            return  # one long word
        yield start, cut
        start = cut
    if start < end:
        yield start, end


def _last_clause(text: str, start: int, end: int) -> int:
    """End of the last clause between two places; 0 if there is none."""
    return max((found.end() for found in _CLAUSE.finditer(text, start, end) if found.end() < end), default=0)


def clause_ends(sentence: str) -> Iterator[int]:
    """Positions where a sentence could end earlier: before a comma, or before a word that adds something."""
    for found in _ADDITION.finditer(sentence):
        before = sentence[: found.start()]
        if is_balanced(before) and not _DANGLING.search(before):
            yield found.start()


def shortened(sentence: str, max_characters: int, min_characters: int = 30) -> str | None:
    """A sentence of at most `max_characters`, with a full stop.

    A longer sentence is cut after a clause, so that at least `min_characters` are left and no bracket is open; None if
    it cannot be cut so.
    """
    whole = stopped(sentence)
    if len(whole) <= max_characters:
        return whole
    for found in reversed(list(_CLAUSE.finditer(sentence[:max_characters]))):
        clause = sentence[: found.start()].rstrip()
        if len(clause) < min_characters:
            return None
        if is_balanced(clause):
            return stopped(clause)
    return None


def stopped(text: str) -> str:
    """The text with a full stop in place of the punctuation that ends a clause."""
    bare = text.rstrip(" ,;:–—-，；：、")
    if not bare or bare.rstrip("\"'”’»)]」』）")[-1:] in FULL_STOPS:
        return bare
    return bare + ("。" if "\u3040" <= bare[-1] <= "\u9fff" else ".")


def titled(text: str) -> str:
    """The text with a capital letter at the start, unless the first word is an identifier."""
    first = text.split(" ", 1)[0].rstrip(".,")
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def is_balanced(text: str) -> bool:
    """Whether all brackets and quotes are closed."""
    return all(text.count(opening) == text.count(closing) for closing, opening in _PAIRED.items()) and (
        text.count('"') % 2 == 0
    )
