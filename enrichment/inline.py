"""The text of a block without inline markup, with the source position of each character."""

import html
import re
import unicodedata
from dataclasses import dataclass

from enrichment.blocks import Block
from enrichment.marks import LINK, LINK_END, MARKS
from enrichment.printable import is_visible

_TOKEN = re.compile(
    r"\\[!-/:-@\[-`{-~]|`+|!?\[|\]|\*+|_+|~~+|(?:https?://|www\.)[^\s<>\"'`)\]}]+|&#?[A-Za-z0-9]{1,31};"
    f"|{LINK}+|{LINK_END}+"
)
_MAX_LABEL_CHARACTERS = 200


@dataclass(frozen=True)
class CleanText:
    """Printable text on one line. Character i is at `positions[i]` of the source, and in a link if `is_linked[i]`."""

    text: str
    positions: list[int]
    is_linked: list[bool]


def clean(block: Block, references: set[str]) -> CleanText:
    """A block without emphasis, code marks, addresses of links, images, footnotes, control and bidi characters.

    Entities are replaced by their characters.
    """
    markup = _Markup(block.text, references)
    markup.find()
    text, positions, is_linked = [], [], []
    for i, char in enumerate(block.text):
        if markup.dropped[i]:
            continue
        for one in markup.entities.get(i, char):
            if one.isspace():
                one = " "
                if not text or text[-1] == " ":
                    continue
            elif one in MARKS or not is_visible(one):
                continue
            text.append(one)
            positions.append(block.positions[i])
            is_linked.append(bool(markup.linked[i]))
    return CleanText("".join(text), positions, is_linked)


class _Markup:
    """The characters of a text that are markup or in a link, found in one pass in linear time."""

    def __init__(self, text: str, references: set[str]) -> None:
        self.text, self.references = text, references
        self.dropped, self.linked = bytearray(len(text)), bytearray(len(text))
        self.entities: dict[int, str] = {}
        self.brackets: list[int] = []
        self.emphasis: dict[str, list[tuple[int, int]]] = {}
        self.anchor: int | None = None
        self.closing = _pairs(text)
        self.runs: dict[int, list[int]] = {}
        for run in reversed(list(re.finditer("`+", text))):
            self.runs.setdefault(len(run[0]), []).append(run.start())

    def find(self) -> None:
        at = 0
        while found := _TOKEN.search(self.text, at):
            at = self._token(found[0], found.start(), found.end())
        if self.anchor is not None:
            self._link(self.anchor, len(self.text))

    def _token(self, token: str, start: int, end: int) -> int:
        """Handles one token; returns where the next search starts."""
        match token[0]:
            case "\\":
                self._drop(start, start + 1)
            case "`":
                return self._code(start, end)
            case "!" | "[":
                self.brackets.append(start)
            case "]":
                return self._bracket(start)
            case "*" | "_" | "~":
                self._emphasis(token[0], start, end)
            case "&":
                self._entity(token, start, end)
            case _ if token[0] == LINK:
                self.anchor = end
            case _ if token[0] == LINK_END:
                if self.anchor is not None:
                    self._link(self.anchor, start)
                self.anchor = None
            case _:
                self._address(token, start, end)
        return end

    def _drop(self, start: int, end: int) -> None:
        self.dropped[start:end] = b"\1" * len(self.dropped[start:end])

    def _link(self, start: int, end: int) -> None:
        self.linked[start:end] = b"\1" * (end - start)

    def _code(self, start: int, end: int) -> int:
        later = self.runs.get(end - start, [])  # an escape may have shortened the run
        while later and later[-1] < end:
            later.pop()
        if not later:
            return end
        close = later.pop()
        self._drop(start, end)
        self._drop(close, close + end - start)
        # `text <address>`_ is a link of reStructuredText
        address = self.text.rfind("<http", end, close)
        if address >= 0 and self.text[close - 1] == ">":
            self._drop(address, close)
            self._link(end, close)
        close += end - start
        after = close + 2 if self.text.startswith("__", close) else close + 1
        if self.text.startswith("_", close) and not self.text[after : after + 1].isalnum():
            self._drop(close, after)
            return after
        return close

    def _bracket(self, close: int) -> int:
        """A `]`: the end of a link, an image, a footnote, a checkbox, or of plain brackets."""
        if not self.brackets:
            return close + 1
        start = self.brackets.pop()
        is_image = self.text[start] == "!"
        label = self.text[start + 1 + is_image : close]
        end = self._target(close + 1)
        if is_image or label[:1] == "^" or (start == 0 and label in (" ", "x", "X")):
            self._drop(start, end)
        elif end > close + 1 or label[:1] == "`" or _normal(label) in self.references:
            self._drop(start, start + 1)
            self._drop(close, end)
            self._link(start, end)
        return end

    def _target(self, at: int) -> int:
        """Where the (address) or [label] after a link's text ends; `at` if there is none."""
        if self.text.startswith("(", at) and at in self.closing:
            return self.closing[at] + 1
        if self.text.startswith("[", at):
            close = self.text.find("]", at, at + _MAX_LABEL_CHARACTERS)
            return close + 1 if close >= 0 else at
        return at

    def _emphasis(self, mark: str, start: int, end: int) -> None:
        before, after = self.text[start - 1 : start], self.text[end : end + 1]
        opens, closes = bool(after.strip()), bool(before.strip())
        if mark == "_":
            opens, closes = opens and not _is_word(before), closes and not _is_word(after)
        stack = self.emphasis.setdefault(mark, [])
        if closes and stack:
            self._drop(*stack.pop())
            self._drop(start, end)
        elif opens:
            stack.append((start, end))

    def _entity(self, token: str, start: int, end: int) -> None:
        decoded = html.unescape(token)
        if decoded != token:
            self.entities[start] = decoded
            self._drop(start + 1, end)

    def _address(self, token: str, start: int, end: int) -> None:
        """A bare address is dropped, but not the full stop after it."""
        self._drop(start, end - (len(token) - len(token.rstrip(".,;:!?"))))


def _normal(label: str) -> str:
    """The label of a reference, normalized as the parser does."""
    return " ".join(label[:_MAX_LABEL_CHARACTERS].split()).lower().upper()


def _is_word(char: str) -> bool:
    return bool(char) and unicodedata.category(char)[0] in "LN"


def _pairs(text: str) -> dict[int, int]:
    """The position of the closing parenthesis by that of the opening one."""
    stack, pairs = [], {}
    for found in re.finditer(r"[()\n]", text):
        if found[0] == "(":
            stack.append(found.start())
        elif found[0] == ")" and stack:
            pairs[stack.pop()] = found.start()
    return pairs
