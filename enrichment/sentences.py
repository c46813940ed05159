"""Where sentences and clauses end."""

import re
from collections.abc import Iterator

LONGEST = 400  # characters of a sentence; a longer one is cut at a clause, or at a word

# a stop with its closing quotes, then a space (none is written in Chinese and Japanese)
_STOP = re.compile(r"[.!?…]+[\"'”’»)\]]*(?= |$)|[。！？]+[」』”）]*")
_ABBREVIATED = re.compile(r"(?:^|[\s(])(?:e\.g|i\.e|vs|cf|incl|resp|approx|eg|ie|aka|[A-Z])\.$", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;:，；：、](?= |$)|[，；、]| [–—-]{1,2}(?= )|—")
_ADDITION = re.compile(
    r"[,;:] | [–—-] | (?=(?:and|with|without|using|for|including|that|which|while|by|in|on|via|through|or) )|[，；、]"
)
# no sentence ends in these
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
        if end - start <= LONGEST:
            break
        cut = _last_clause(text, start, start + LONGEST) or text.rfind(" ", start, start + LONGEST)
        if cut <= start:
            return  # no words
        yield start, cut
        start = cut
    if start < end:
        yield start, end


def _last_clause(text: str, start: int, end: int) -> int:
    """End of the last clause between two places; 0 if there is none."""
    return max((found.end() for found in _CLAUSE.finditer(text, start, end) if found.end() < end), default=0)


def clause_ends(sentence: str) -> Iterator[int]:
    """Where a sentence could end before its end and still be one: before a comma, or a word that adds something."""
    for found in _ADDITION.finditer(sentence):
        before = sentence[: found.start()]
        if is_balanced(before) and not _DANGLING.search(before):
            yield found.start()


def shortened(sentence: str, longest: int, shortest: int = 30) -> str | None:
    """A sentence of at most `longest` characters with a full stop: the whole one, or as many of its first clauses as
    fit, if they have `shortest` characters and leave no bracket open. None if there are no such."""
    whole = stopped(sentence)
    if len(whole) <= longest:
        return whole
    for found in reversed(list(_CLAUSE.finditer(sentence[:longest]))):
        clause = sentence[: found.start()].rstrip()
        if len(clause) < shortest:
            return None
        if is_balanced(clause):
            return stopped(clause)
    return None


def stopped(text: str) -> str:
    """With a full stop at its end, in place of what else ends clauses."""
    bare = text.rstrip(" ,;:–—-，；：、")
    if not bare or bare.rstrip("\"'”’»)]」』）")[-1:] in FULL_STOPS:
        return bare
    return bare + ("。" if "\u3040" <= bare[-1] <= "\u9fff" else ".")


def titled(text: str) -> str:
    """With a capital at its start, unless its first word is an identifier."""
    first = text.split(" ", 1)[0].rstrip(".,")
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def is_balanced(text: str) -> bool:
    """Whether every bracket and quote that is opened is closed."""
    return all(text.count(opening) == text.count(closing) for closing, opening in _PAIRED.items()) and (
        text.count('"') % 2 == 0
    )
