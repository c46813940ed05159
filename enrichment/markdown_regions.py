"""Where a Markdown text holds code, HTML blocks and prose, by the block rules of CommonMark."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.html_block import HTML_SEQUENCES

# kinds 1 to 5 (scripts, comments, processing instructions, declarations, CDATA) end where they are closed
_CLOSED = [(opening, closing) for opening, closing, _ in HTML_SEQUENCES[:5]]
# kinds 6 and 7 (a block element, or a tag alone on its line) end at a blank line, as a paragraph does
_BLOCK_ELEMENT, _LONE_TAG = HTML_SEQUENCES[5][0], HTML_SEQUENCES[6][0]
_LINE_PREFIX = re.compile(r"[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+)*")


@dataclass(frozen=True)
class Region:
    """Characters `start` to `end` of a text, whole lines.

    `code` is a fenced or indented block, `html_block` an HTML block of kinds 1 to 5, `html_text` one of kinds 6 and 7,
    and `prose` a paragraph, a heading or a row of a table.
    """

    start: int
    end: int
    kind: Literal["code", "html_block", "html_text", "prose"]


def markdown_regions(text: str) -> Iterator[Region]:
    """The regions of a Markdown text in order. Lines between them hold no text: blank lines, rules, link targets."""
    yield from _regions(text, _markdown())


def plain_regions(text: str) -> Iterator[Region]:
    """The regions of a text in which indentation and fences are not code: HTML blocks and paragraphs."""
    yield from _regions(text, _plain())


def _regions(text: str, parser: MarkdownIt) -> Iterator[Region]:
    starts = list(accumulate((len(line) + 1 for line in text.split("\n")), initial=0))
    starts[-1] = len(text)
    end = 0
    for token in parser.parse(text):
        if token.type not in ("fence", "code_block", "html_block", "inline") or not token.map:
            continue
        start, end = max(starts[token.map[0]], end), max(starts[token.map[1]], end)
        if start == end:  # another cell of the same row
            continue
        if token.type == "inline":
            yield from _paragraph(text, start, end)
        else:
            yield Region(start, end, "html_block" if token.type == "html_block" else "code")


def _paragraph(text: str, start: int, end: int) -> Iterator[Region]:
    """A paragraph, cut in two at the line where an HTML block of kind 6 or 7 starts."""
    at = start
    for line in text[start:end].split("\n"):
        bare = line[_LINE_PREFIX.match(line).end() :]  # pyright: ignore[reportOptionalMemberAccess]
        if _BLOCK_ELEMENT.search(bare) or (at == start and _LONE_TAG.search(bare)):
            break
        at += len(line) + 1
    at = min(at, end)
    if at > start:
        yield Region(start, at, "prose")
    if at < end:
        yield Region(at, end, "html_text")


@cache
def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["block"])
    parser.block.ruler.at("html_block", _html_block, {"alt": ["paragraph", "reference", "blockquote"]})
    return parser


@cache
def _plain() -> MarkdownIt:
    parser = MarkdownIt("zero").enable("html_block")
    parser.core.ruler.enableOnly(["block"])
    parser.block.ruler.at("html_block", _html_block, {"alt": ["paragraph"]})
    return parser


def _html_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A rule of markdown-it: an HTML block of kinds 1 to 5. An unclosed one ends with the block that contains it."""
    closing = next((closing for opening, closing in _CLOSED if opening.search(_line(state, start))), None)
    if closing is None or silent:
        return closing is not None
    last = start
    while not closing.search(_line(state, last)):
        if last + 1 >= end or (state.sCount[last + 1] < state.blkIndent and not state.isEmpty(last + 1)):
            break
        last += 1
    state.line = last + 1
    token = state.push("html_block", "", 0)
    token.map = [start, state.line]
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]
