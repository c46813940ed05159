"""Detects the markup language of a README from its content, because the name of its file is unknown."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Literal

MarkupFormat = Literal["markdown", "asciidoc", "org", "restructuredtext"]

# (weight, pattern of a line): every match adds its weight to the score of the format
_ASCIIDOC = (
    (2, r"^={1,6} \S"),
    (2, r"^(?:image|include|ifdef|ifndef|ifeval|endif|toc|video)::[^\s\[]{0,300}\[.*\]\s*$"),
    (2, r"^/{4,}$"),
    (1, r"^:!?(?:toc|icons|sectnums|imagesdir|idprefix|idseparator|experimental|[a-z]+(?:-[a-z]+)+)!?:(?: |$)"),
    (1, r"^\[(?:source|listing|quote|NOTE|TIP|IMPORTANT|WARNING|CAUTION|[.#%]\w)[^\]\n]*\]$"),
    (1, r"(?:image|link|https?):[^\s\[\]()<>]{1,300}\[[^\]\n]{0,200}\](?!\()"),
    (1, r"^\|={3,}$"),
    (1, r"^//(?: |$)"),
)
_ORG = (
    (2, r"^[ \t]*#\+[A-Za-z_]+(?:[: ]|$)"),
    (2, r"^[ \t]*:(?:PROPERTIES|LOGBOOK|END):[ \t]*$"),
    (1, r"(?<=\n\n)\*{2,} [^*\n]+\n\n"),
    (2, r"\[\[[^\[\]\n]{1,300}\]\[[^\]\n]{1,200}\]\]|\[\[(?:https?:|file:|\.{0,2}/)[^\[\]\n]{1,300}\]\]"),
)
_MARKDOWN = (
    (2, r"^#{2,6} \S"),
    (1, r"\A(?s:.*?)^# \S"),  # once: in Org these lines are comments
    (2, r"\]\([^\s)]{1,300}\)"),
    (2, r"^\[[^\]\n]{1,200}\]: ?\S"),
    (1, r"^```"),
)
MIN_SCORE = 2
_RESTRUCTUREDTEXT = re.compile(r"^\.\. (?:[\w-]+::|_\S|\|)|^\.\.\n[ \t]+\S", re.MULTILINE)
_DELIMITER = re.compile(r"(-{4,}|\.{4,}|```+|~~~+)[^`]*")


def markup_format(text: str) -> MarkupFormat:
    """The format with the highest score; Markdown if no other has `MIN_SCORE`, or two are equal."""
    if _RESTRUCTUREDTEXT.search(text):
        return "restructuredtext"
    outside = "\n".join(_outside_listings(text.split("\n")))
    markdown, asciidoc, org = (_score(signs, outside) for signs in (_MARKDOWN, _ASCIIDOC, _ORG))
    if asciidoc >= MIN_SCORE and asciidoc > max(markdown, org):
        return "asciidoc"
    if org >= MIN_SCORE and org > max(markdown, asciidoc):
        return "org"
    return "markdown"


def _score(signs: tuple[tuple[int, str], ...], text: str) -> int:
    return sum(weight * len(re.findall(pattern, text, re.MULTILINE)) for weight, pattern in signs)


def _outside_listings(lines: list[str]) -> Iterator[str]:
    """The lines outside listings of AsciiDoc and fences of Markdown: a shell comment in one is not a heading."""
    closings: dict[str, list[int]] = defaultdict(list)
    for number in range(len(lines) - 1, -1, -1):
        closings[lines[number].rstrip()].append(number)
    after = 0
    for number, line in enumerate(lines):
        if number < after:
            continue
        opening = _DELIMITER.fullmatch(line)
        later = closings[opening[1]] if opening else []
        while later and later[-1] <= number:
            later.pop()
        if later and _may_open(line, lines[number - 1] if number else ""):
            after = later[-1] + 1
        else:
            yield line


def _may_open(line: str, before: str) -> bool:
    """Whether a delimiter can open a listing: a line of hyphens under text is the underline of a heading."""
    return line[0] in "`~" or not before.strip() or before[0] in "[.+"
