"""Turns Org into Markdown of the same length: headings get Markdown's marks, other markup is overwritten."""

import re
from collections.abc import Iterator

from enrichment.marks import BREAK, DROP, ITEM, LINK, LINK_END, overwrite

_BLOCK = re.compile(r"#\+begin_(\w+)\b.*", re.IGNORECASE)
_SHOWN_BLOCKS = frozenset(("quote", "center", "verse"))
_DRAWER = re.compile(r":[\w-]+:")
_HIDDEN_LINE = re.compile(r"#(?:\+\S| |$)|:(?: |$)|\||-{5,}$|(?:SCHEDULED|DEADLINE|CLOSED|CLOCK): |\[fn:[\w-]+\] ")
_HEADING = re.compile(r"(\*+)(\s+)(.*)")
_KEYWORDS = re.compile(r"(?:(?:TODO|DONE|NEXT|WAITING|CANCELL?ED)\s+)?(?:\[#[A-Z0-9]\]\s*)?")
_TAGS = re.compile(r"\s:[\w@#%:]+:\s*$")
_LIST_ITEM = re.compile(r"(\s*(?:[-+]|\d+[.)])\s+|\s+\*\s+)(\S.*)")
_TERM = re.compile(r" ::(?=\s|$)")

# inline markup: a label may continue on the next line; the limits of length keep the time linear
_LABEL = r"(?:[^\[\]\n]|\n(?!\n)){1,200}"
_IMAGE = r"[^\[\]\n]{1,300}\.(?:svg|png|jpe?g|gif|webp)(?:\?[^\[\]\n]{0,200})?"
_DROPPED = re.compile(
    rf"\[\[{_IMAGE}\]\]|\[\[[^\[\]\n]{{1,300}}\]\[{_IMAGE}\]\]|\[\[[^\[\]\n]{{1,300}}\]\]"
    r"|\[fn:(?:[^\]\n]|\n(?!\n)){0,300}\]|@@[^@\n]{1,300}@@|<<<?[^<>\n]{1,200}>>>?|\{\{\{[^{}\n]{1,200}\}\}\}"
    r"|[<\[]\d{4}-\d\d-\d\d[^\]>\n]{0,40}[>\]]|\\\\(?=\n|$)"
)
_LINK = re.compile(rf"(\[\[[^\[\]\n]{{1,300}}\]\[)({_LABEL})(\]\])")
_EMPHASIS = tuple(
    re.compile(rf"(?<![\w/=~+]){mark}(?=\S)([^{mark}\n]{{1,200}})(?<=\S){mark}(?!\w)")
    for mark in ("=", "~", "/", r"\+")
)


def mask_org(text: str) -> str:
    """Keywords, comments, drawers, tables and code are overwritten; headings get Markdown's marks.

    Subtrees that Org does not export are overwritten too: their heading has COMMENT or the tag `noexport`.
    """
    lines = text.split("\n")
    reader = _Lines(lines)
    return _inline("\n".join(reader.masked(number, line) for number, line in enumerate(lines)))


class _Lines:
    """Masks line by line. The meaning of a line depends on the lines around it."""

    def __init__(self, lines: list[str]) -> None:
        lowered = [line.strip().lower() for line in lines]
        self._last = {line: number for number, line in enumerate(lowered)}  # where each line is found last
        self._before_end = set(_lines_before_an_end(lines, lowered))
        self._closing = ""  # the line that ends the hidden block
        self._hidden_level = 0  # of the heading whose subtree is hidden

    def masked(self, number: int, line: str) -> str:
        bare = line.strip()
        hidden = overwrite(line, BREAK)
        if self._closing:
            if bare.lower() == self._closing:
                self._closing = ""
            return hidden
        if not bare:
            return line
        if found := _HEADING.fullmatch(line):
            return self._heading(*found.groups()) or hidden
        if self._hidden_level or self._opens(number, bare) or _HIDDEN_LINE.match(bare):
            return hidden
        return _text(line)

    def _opens(self, number: int, bare: str) -> bool:
        """Whether a line opens a block or a drawer, whose content is hidden only if it is closed."""
        if found := _BLOCK.fullmatch(bare):
            closing = f"#+end_{found[1].lower()}"
            if found[1].lower() not in _SHOWN_BLOCKS and self._last.get(closing, 0) > number:
                self._closing = closing
            return True
        if not _DRAWER.fullmatch(bare):
            return False
        if number in self._before_end:
            self._closing = ":end:"
        return True

    def _heading(self, stars: str, space: str, title: str) -> str:
        """The heading in Markdown; '' if it is hidden."""
        level = min(len(stars), 6)
        if self._hidden_level and level > self._hidden_level:
            return ""
        keywords = _KEYWORDS.match(title)
        start = keywords.end() if keywords else 0
        tags = _TAGS.search(title, start)
        is_hidden = title.startswith("COMMENT", start) or (tags and "noexport" in tags[0])
        self._hidden_level = level if is_hidden else 0
        if is_hidden:
            return ""
        end = tags.start() if tags else len(title)
        marks = "#" * level + " " * (len(stars) - level) + space
        return marks + DROP * start + title[start:end] + DROP * (len(title) - end)


def _lines_before_an_end(lines: list[str], lowered: list[str]) -> Iterator[int]:
    """The numbers of the lines that `:END:` follows before the next heading."""
    is_ended = False
    for number in range(len(lines) - 1, -1, -1):
        if is_ended and lowered[number] != ":end:":
            yield number
        is_ended = lowered[number] == ":end:" or (is_ended and not _HEADING.fullmatch(lines[number]))


def _text(line: str) -> str:
    """A line of prose without its indentation, which would be code in Markdown."""
    if found := _LIST_ITEM.fullmatch(line):
        return ITEM + DROP * (len(found[1]) - 1) + found[2]
    start = len(line) - len(line.lstrip())
    return DROP * start + line[start:]


def _inline(text: str) -> str:
    text = _DROPPED.sub(lambda found: overwrite(found[0], DROP), text)
    text = _LINK.sub(lambda found: LINK * len(found[1]) + found[2] + LINK_END * len(found[3]), text)
    for pattern in _EMPHASIS:
        text = pattern.sub(lambda found: DROP + found[1] + DROP, text)
    return _TERM.sub(lambda found: overwrite(found[0], BREAK), text)
