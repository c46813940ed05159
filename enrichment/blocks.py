"""The blocks of a README that hold words: headings, paragraphs and list items, each character with its place."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from enrichment.marks import BREAK, HEADS, ITEM

LONGEST_HEADING = 80  # a longer one is a paragraph that somebody underlined
_LEVELS = {mark: int(level) for level, mark in HEADS.items()}
_BREAKS = frozenset([BREAK, ITEM, *_LEVELS])


@dataclass(frozen=True)
class Block:
    """Masked text of a block, lines joined by \\n; `at[i]` is where character i stands in the source.

    `level` is 1 to 6 for headings, 0 for prose.
    """

    text: str
    at: list[int]
    level: int = 0
    item: bool = False


@cache
def _parser() -> MarkdownIt:
    """Block rules only: the inline rules are not linear, and know no places."""
    parser = MarkdownIt("commonmark").enable("table").disable("html_block")
    parser.core.ruler.enableOnly(["block"])
    return parser


def blocks(masked: str) -> tuple[list[Block], set[str]]:
    """Blocks of a masked README in reading order, and the labels of its link references (upper case)."""
    env: dict = {}
    tokens = _parser().parse(masked, env)
    lines = _Lines(masked)
    found, level, tables = [], 0, 0
    for i, token in enumerate(tokens):
        tables += {"table_open": 1, "table_close": -1}.get(token.type, 0)
        if token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "paragraph_open":
            level = 0
        elif token.type == "inline" and not tables:
            text, at = lines.placed(token)
            level = level if len(text) <= LONGEST_HEADING else 0
            found += segments(Block(text, at, level, tokens[i - 2].type == "list_item_open"))
    return found, set(env.get("references", ()))


class _Lines:
    """The lines of a text, and where they start."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def placed(self, token: Token) -> tuple[str, list[int]]:
        """The content of an inline token without the marks of lists and quotes, and where its characters stand."""
        first, last = token.map or [0, 0]
        text, at = [], []
        number = first
        for line in token.content.split("\n"):
            bare = line.strip()
            while number < last and bare not in self.lines[number]:
                number += 1
            if number >= last:
                break
            start = self.starts[number] + self.lines[number].rindex(bare)
            text.append(bare)
            at += [*range(start, start + len(bare) + 1)]  # one more for the \n
            number += 1
        return "\n".join(text), at[:-1]


def segments(block: Block) -> Iterator[Block]:
    """Cuts a block where HTML ended a paragraph, a heading or an item."""
    start, level, item = 0, block.level, block.item
    for i, char in enumerate(block.text + BREAK):
        if char in _BREAKS:
            if block.text[start:i].strip():
                yield Block(block.text[start:i], block.at[start:i], level, item)
            start, level, item = i + 1, _LEVELS.get(char, 0), char == ITEM
