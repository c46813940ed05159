"""Overwrites the HTML in a text: comments, tags, and elements whose content is not prose."""

import re
from collections.abc import Iterable

from enrichment.markdown_regions import Region
from enrichment.marks import BREAK, DROP, HEADS, ITEM, LINK, LINK_END, MARKS, overwrite


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# elements whose content is not prose, elements that end a sentence, and other known elements
_HIDDEN = _set("script style textarea pre table svg summary select button math picture")
_BREAKING = _set("p div br hr ul ol dl dt dd center details blockquote section article header footer nav")
_INLINE = _set(
    "a abbr b big cite code del dfn em font i img ins kbd mark q s samp small source span strike strong sub sup tt u "
    "var video audio input label figure figcaption main aside body html"
)
# each alternative excludes the character that starts the next one, so that every character is read once
_SPECIAL = re.compile(
    r"\\[\\`<]|`+|<!--|<\?|<!\[CDATA\[|<![A-Za-z]|<(?:https?|mailto):[^\s<>]*>|"
    r"<(/?)([A-Za-z][A-Za-z0-9]*)(?![\w:])[^<>`]*>"
)
# what closes the constructs other than elements
_CLOSINGS = {"<!--": "-->", "<?": "?>", "<![CDATA[": "]]>"}


def mask_html(text: str, regions: Iterable[Region]) -> str:
    """`text` with its HTML overwritten by marks, as many characters as before.

    In code nothing is HTML. In prose an unclosed comment or element is text, and one is closed in the same paragraph.
    In HTML it is closed at any later place outside code; an unclosed one hides the rest of an HTML block.
    """
    regions = list(regions)
    outside_code = _without_code(text, regions)
    absent: set[str] = set()
    masked, at = [], 0
    for region in regions:
        if region.kind == "code" or region.end <= at:
            continue
        start = max(region.start, at)
        limit = region.end if region.kind == "prose" else len(text)
        masked.append(text[at:start])
        scan = _Scan(text, outside_code, region, limit, set() if region.kind == "prose" else absent)
        found, at = scan.masked(start)
        masked.append(found)
    return "".join(masked) + text[at:]


def _without_code(text: str, regions: Iterable[Region]) -> str:
    """The text in lower case, its code blanked; places are the same."""
    lowered = text.lower() if len(text.lower()) == len(text) else text
    parts, at = [], 0
    for region in regions:
        if region.kind == "code":
            parts += [lowered[at : region.start], " " * (region.end - region.start)]
            at = region.end
    return "".join(parts) + lowered[at:]


class _Scan:
    """One region, read once from left to right. `absent` are closings known not to follow before `limit`."""

    def __init__(self, text: str, outside_code: str, region: Region, limit: int, absent: set[str]) -> None:
        self._text, self._outside_code = text, outside_code
        self._region, self._limit, self._absent = region, limit, absent
        self._code_spans = _CodeSpans(text, region)

    def masked(self, start: int) -> tuple[str, int]:
        """The masked text from `start`, and where it ends: after the region if an element is closed there only."""
        parts, at = [], start
        while found := _SPECIAL.search(self._text, at, max(at, self._region.end)):
            end, mark = self._special(found)
            parts += [self._text[at : found.start()], self._overwritten(found.start(), end, mark)]
            at = end
        end = max(at, self._region.end)
        masked = "".join(parts) + self._text[at:end]
        if self._region.kind == "html_block" and not masked.strip(MARKS + " \t\n"):
            # an indented line after it is code, and not the next line of a paragraph
            masked = overwrite(masked, " ")
        return masked, end

    def _overwritten(self, start: int, end: int, mark: str) -> str:
        part = self._text[start:end]
        return overwrite(part, mark) if mark else part

    def _special(self, found: re.Match[str]) -> tuple[int, str]:
        """Where a construct ends, and what overwrites it: '' if it stays."""
        start, end = found.span()
        opening, name = found[0], (found[2] or "").lower()
        if opening[0] == "\\":
            return end, ""
        if opening[0] == "`":
            return self._code_spans.end(start, end), ""
        if opening[:2] in ("<!", "<?"):
            closed = self._closed(_CLOSINGS.get(opening, ">"), start + 2)
            return self._unclosed(end) if closed is None else (closed, DROP)
        if not name:
            return end, ""
        if name in _HIDDEN and not found[1]:
            closed = self._closed(f"</{name}", end)
            if closed is None:
                return self._unclosed_element(end)
            return self._text.find(">", closed) + 1 or len(self._text), BREAK
        return end, _mark(name, bool(found[1]), found[2])

    def _closed(self, closing: str, start: int) -> int | None:
        """Where `closing` ends; None if it does not follow."""
        if closing in self._absent:
            return None
        place = self._outside_code.find(closing, start, self._limit)
        if place < 0:
            self._absent.add(closing)
            return None
        return place + len(closing)

    def _unclosed(self, end: int) -> tuple[int, str]:
        """An unclosed comment, or the like."""
        return (end, "") if self._region.kind == "prose" else (self._region.end, DROP)

    def _unclosed_element(self, end: int) -> tuple[int, str]:
        """An unclosed element: the prose names it, the HTML block is hidden, and in other HTML the tag alone goes."""
        match self._region.kind:
            case "prose":
                return end, ""
            case "html_block":
                return self._region.end, BREAK
            case _:
                return end, BREAK


def _mark(name: str, closes: bool, written: str) -> str:
    """What overwrites a tag; '' if it is not a tag of HTML, such as the type in Vec<T>."""
    if len(written) == 1 and written.isupper():
        return ""
    if name == "a":
        return LINK_END if closes else LINK
    if name == "li":
        return BREAK if closes else ITEM
    if len(name) == 2 and name[0] == "h" and name[1] in HEADS:
        return BREAK if closes else HEADS[name[1]]
    if name in _BREAKING or name in _HIDDEN:
        return BREAK
    return DROP if name in _INLINE else ""


class _CodeSpans:
    """The code spans of one region: a run of backticks is closed by the next run of the same length."""

    def __init__(self, text: str, region: Region) -> None:
        self._later: dict[int, list[int]] = {}
        runs = list(re.compile("`+").finditer(text, region.start, region.end))
        for run in reversed(runs):
            self._later.setdefault(len(run[0]), []).append(run.start())

    def end(self, start: int, end: int) -> int:
        """Where the code that the run from `start` to `end` opens ends; `end` itself if nothing closes it."""
        later = self._later.get(end - start, [])
        while later and later[-1] < end:
            later.pop()
        return later.pop() + end - start if later else end
