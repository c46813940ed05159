"""Turns AsciiDoc into Markdown of the same length: headings get Markdown's marks, other markup is overwritten."""

import re

from enrichment.marks import BREAK, DROP, ITEM, LINK, LINK_END, overwrite

_LISTING = re.compile(r"(/{4,}|-{4,}|\.{4,}|\+{4,}|[|,:!]={3,}|`{3,})")  # the content is not prose
_FENCE = re.compile(r"(`{3,})[\w ,-]+")
_CONTAINER = re.compile(r"(?:={4,}|\*{4,}|_{4,}|--)")  # the content is prose, unless its style is hidden
_EMPTY = re.compile(r"(?:'{3,}|<{3,}|\+)|<(?:\d{1,2}|\.)> .*")  # rules, page breaks, continuations, callouts
_UNDERLINE = re.compile(r"([=\-~^+])\1{2,}")
_COMMENT = re.compile(r"//(?!/)")
_ATTRIBUTE = re.compile(r":!?(\w[\w-]*)!?:(?: |$)")
_CONDITION = re.compile(r"(ifdef|ifndef|ifeval|endif)::([^\s\[]*)\[(.*)\]")
_BLOCK_MACRO = re.compile(r"[a-z]\w*::[^\s\[]*\[.*\]")
_BLOCK_ATTRIBUTES = re.compile(r"\[(.*)\]")
_HIDDEN_STYLE = re.compile(
    r"(?:comment|source|listing|literal|stem|pass|latexmath|asciimath|NOTE|TIP|IMPORTANT|WARNING|CAUTION)\b"
)
_TITLE = re.compile(r"\.[^\s.].*")
_HEADING = re.compile(r"(={1,6})( \S.*?)( =+)?")
_LIST_ITEM = re.compile(r"([ \t]*(?:\*{1,5}|\.{1,5}|-|\d+\.)[ \t]+)(\S.*)")
_TERM = re.compile(r"(?::{2,4}|;;)(?=\s|$)")
_REVISION = re.compile(r"v?\d")
_MIN_SENTENCE_WORDS = 5  # an author or a revision under the title has fewer

# inline markup: a label may continue on the next line; the limits of length keep the time linear
_LABEL = r"(?:[^\]\n]|\n(?!\n)){0,300}"
_DROPPED = re.compile(
    rf"\b(?:image|icon|footnote|footnoteref|indexterm2?|anchor|counter2?):[^\s\[\]]{{0,300}}\[{_LABEL}\]"
    r"|\(\(\([^()\n]{1,200}\)\)\)|\[\[[\w.,: -]{1,200}\]\]|<<[^<>,\n]{1,200}>>"
)
_LINK = re.compile(
    r"((?:link:|xref:|mailto:|\{[\w-]{1,100}\}|(?:https?|ftp|irc)://)[^\s\[\]]{0,300}\[\"?)"
    rf"({_LABEL}?)(\"?\^?(?:,[^\]\n=]*=[^\]\n]*)?\])"
)
_CROSS_REFERENCE = re.compile(r"(<<[^<>,\n]{1,200},)([^<>]{1,200})(>>)")
_REFERENCE = re.compile(r"\{[\w-]{1,100}\}")
_PASSTHROUGH = re.compile(r"(?<!\w)(\+{1,3}|#{1,2})(?=\S)([^+#`\n]{1,200})(?<=\S)(\1)")
_ROLE = re.compile(r"\[\.[\w. -]{1,100}\](?=[#*_`])")


def mask_asciidoc(text: str) -> str:
    """Comments, attributes, macros, listings, tables and admonitions are overwritten; headings get Markdown's marks.

    Text between `ifdef`, `ifndef` and `endif` is read if GitHub shows it, which sets `env-github`.
    """
    lines = text.split("\n")
    reader = _Lines(lines)
    return _inline("\n".join(reader.masked(number, line) for number, line in enumerate(lines)))


class _Lines:
    """Masks line by line. The meaning of a line depends on the lines around it."""

    def __init__(self, lines: list[str]) -> None:
        self._last = {line.rstrip(): number for number, line in enumerate(lines)}  # where each line is found last
        self._previous = ""  # the previous line of text
        self._closing = ""  # the delimiter that ends the hidden block
        self._hides_next = False  # the block attributes have a hidden style
        self._paragraph = ""  # what the line before belongs to: "prose", "hidden" or ""
        self._is_header = False
        self._continues = False  # the value of an attribute continues
        self._defined = {"env-github"}
        self._shown: list[bool] = []  # of the conditions that are open

    def masked(self, number: int, line: str) -> str:
        bare = line.rstrip()
        hidden = overwrite(line, BREAK)
        if self._closing:
            if bare == self._closing:
                self._closing = ""
            return hidden
        if not bare:
            self._paragraph, self._is_header, self._continues = "", False, False
            return line
        if self._condition(bare) or not all(self._shown):
            return hidden
        if self._is_underline(bare):
            self._paragraph = ""
            return ("=" if bare[0] == "=" else "-") * len(line)
        if self._is_delimiter(number, bare) or self._is_markup(bare):
            return hidden
        return self._text(line, bare, hidden)

    def _is_underline(self, bare: str) -> bool:
        is_under_text = self._paragraph == "prose" and abs(len(self._previous) - len(bare)) < 2
        return is_under_text and bool(_UNDERLINE.fullmatch(bare))

    def _condition(self, bare: str) -> bool:
        """Whether a line is a preprocessor directive, which it applies."""
        found = _CONDITION.fullmatch(bare)
        if not found:
            return False
        kind, names, content = found.groups()
        if kind == "endif":
            del self._shown[-1:]
        elif kind == "ifeval":
            self._shown.append(False)
        elif not content:  # one with content applies to its own line only
            pick = all if "+" in names else any
            is_defined = pick(name in self._defined for name in re.split("[,+]", names))
            self._shown.append(is_defined == (kind == "ifdef"))
        return True

    def _is_delimiter(self, number: int, bare: str) -> bool:
        """Whether a line delimits a block. An unclosed block does not hide its content, except a comment."""
        listing = _LISTING.fullmatch(bare) or _FENCE.fullmatch(bare)
        if listing is None and not _CONTAINER.fullmatch(bare):
            return False
        closing = listing[1] if listing else bare
        if (listing or self._hides_next) and (self._last.get(closing, 0) > number or closing[0] == "/"):
            self._closing = closing
        self._paragraph, self._hides_next = "", False
        return True

    def _is_markup(self, bare: str) -> bool:
        """Whether a line is markup without text. Notes what it means for the next lines."""
        if self._continues:
            self._continues = bare.endswith("\\")
            return True
        if _COMMENT.match(bare):
            return True
        if found := _BLOCK_ATTRIBUTES.fullmatch(bare):
            self._paragraph, self._is_header = "", False
            self._hides_next = bool(_HIDDEN_STYLE.match(found[1]))
            return True
        if _EMPTY.fullmatch(bare) or _BLOCK_MACRO.fullmatch(bare):
            self._paragraph = ""
            return True
        if self._paragraph:
            return False
        if found := _ATTRIBUTE.match(bare):
            update = self._defined.discard if "!" in found[0] else self._defined.add
            update(found[1])
            self._continues = bare.endswith("\\")
            return True
        return bool(_TITLE.fullmatch(bare))

    def _text(self, line: str, bare: str, hidden: str) -> str:
        if found := _HEADING.fullmatch(bare):
            self._is_header = found[1] == "="
            self._paragraph, self._hides_next = "", False
            marks, title, closing = found[1], found[2], found[3] or ""
            return "#" * len(marks) + title + overwrite(closing, DROP) + line[len(bare) :]
        if self._is_header and _is_author_or_revision(bare):
            return hidden
        self._is_header = False
        listed = _LIST_ITEM.fullmatch(line)
        if not self._paragraph:
            is_literal = line[0] in " \t" and not listed
            self._paragraph = "hidden" if self._hides_next or is_literal else "prose"
            self._hides_next = False
        if self._paragraph == "hidden":
            return hidden
        self._previous = bare
        if listed:
            return ITEM + DROP * (len(listed[1]) - 1) + listed[2]
        start = len(line) - len(line.lstrip())
        return DROP * start + line[start:]


def _is_author_or_revision(line: str) -> bool:
    """Whether a line under the title is an author or a revision, and not the first sentence."""
    is_short = len(line.split()) < _MIN_SENTENCE_WORDS and line[-1] not in ".!?"
    return is_short or "<" in line or bool(_REVISION.match(line))


def _inline(text: str) -> str:
    text = _DROPPED.sub(lambda found: overwrite(found[0], DROP), text)
    for pattern in (_LINK, _CROSS_REFERENCE):
        text = pattern.sub(_link, text)
    text = _PASSTHROUGH.sub(lambda found: DROP * len(found[1]) + found[2] + DROP * len(found[3]), text)
    for pattern in (_REFERENCE, _ROLE):
        text = pattern.sub(lambda found: overwrite(found[0], DROP), text)
    return _TERM.sub(lambda found: overwrite(found[0], BREAK), text)


def _link(found: re.Match[str]) -> str:
    """The label, marked as a link; a link without a label is dropped."""
    if not found[2].strip(DROP + " "):
        return overwrite(found[0], DROP)
    return LINK * len(found[1]) + found[2] + LINK_END * len(found[3])
