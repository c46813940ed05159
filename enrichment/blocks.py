"""The blocks of a README that hold prose: headings, paragraphs and list items, with the position of each character."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from enrichment.marks import BREAK, HEADS, ITEM

MAX_HEADING_CHARACTERS = 80  # a longer one is a paragraph with an underline
_LEVELS = {mark: int(level) for level, mark in HEADS.items()}
_BREAKS = frozenset([BREAK, ITEM, *_LEVELS])


@dataclass(frozen=True)
class Block:
    """The masked text of a block, lines joined by \\n; `positions[i]` is the source position of character i.

    `level` is 1 to 6 for headings and 0 for prose.
    """

    text: str
    positions: list[int]
    level: int = 0
    is_item: bool = False


@cache
def _parser() -> MarkdownIt:
    """Block rules only: the inline rules are not linear and give no positions."""
    parser = MarkdownIt("commonmark").enable("table").disable("html_block")
    parser.core.ruler.enableOnly(["block"])
    return parser


def blocks(masked: str) -> tuple[list[Block], set[str]]:
    """The blocks of a masked README in reading order, and the labels of its link references in upper case."""
    env: dict = {}
    tokens = _parser().parse(masked, env)
    lines = _Lines(masked)
    found, level, open_tables = [], 0, 0
    for i, token in enumerate(tokens):
        open_tables += {"table_open": 1, "table_close": -1}.get(token.type, 0)
        if token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "paragraph_open":
            level = 0
        elif token.type == "inline" and not open_tables:
            text, positions = lines.located(token)
            level = level if len(text) <= MAX_HEADING_CHARACTERS else 0
            found += segments(Block(text, positions, level, tokens[i - 2].type == "list_item_open"))
    return found, set(env.get("references", ()))


class _Lines:
    """The lines of a text and the positions where they start."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def located(self, token: Token) -> tuple[str, list[int]]:
        """The content of an inline token without the markers of lists and quotes, and its characters' positions."""
        first, last = token.map or [0, 0]
        text, positions = [], []
        number = first
        for line in token.content.split("\n"):
            bare = line.strip()
            while number < last and bare not in self.lines[number]:
                number += 1
            if number >= last:
                break
            start = self.starts[number] + self.lines[number].rindex(bare)
            text.append(bare)
            positions += [*range(start, start + len(bare) + 1)]  # one more for the \n
            number += 1
        return "\n".join(text), positions[:-1]


def segments(block: Block) -> Iterator[Block]:
    """The parts of a block between the marks that end a paragraph, a heading or an item."""
    start, level, is_item = 0, block.level, block.is_item
    for i, char in enumerate(block.text + BREAK):
        if char in _BREAKS:
            if block.text[start:i].strip():
                yield Block(block.text[start:i], block.positions[start:i], level, is_item)
            start, level, is_item = i + 1, _LEVELS.get(char, 0), char == ITEM
