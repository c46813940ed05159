"""A text with what is not prose overwritten, character for character: what is left stands where it stood."""

import re

# Unicode's noncharacters: no text should hold them, and those that do lose them here
DROP, BREAK, ITEM, LINK, LINK_END = (chr(0xFDD0 + i) for i in range(5))
HEADS = {str(level): chr(0xFDE0 + level) for level in range(1, 7)}
MARKS = "".join(chr(code) for code in range(0xFDD0, 0xFDF0))
_NO_MARKS = str.maketrans(dict.fromkeys(MARKS, DROP))


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# elements whose content is no prose, and those that end a sentence; other known tags vanish
_CONTENT = _set("script style pre table svg summary select button math picture")
_BREAKING = _set("p div br hr ul ol dl dt dd center details blockquote section article header footer nav")
_INLINE = _set(
    "a abbr b big cite code del dfn em font i img ins kbd mark q s samp small source span strike strong sub sup tt u "
    "var video audio input label figure figcaption main aside body html"
)
# each part excludes what starts the next, so that every character is read once
_SPECIAL = re.compile(r"`+|<!--|<(?:https?|mailto):[^\s<>]*>|<(/?)([A-Za-z][A-Za-z0-9]*)(?![\w:])[^<>`]*>")
_DIRECTIVE = re.compile(r"\.\. ?(?:\S|$)")
_RST = re.compile(r"^\.\. (?:[\w-]+::|_\S|\|)", re.MULTILINE)
_UNDERLINE = re.compile(r"""([=\-~^"'*+#:._`])\1{2,}""")
_FIELD = re.compile(r":[A-Za-z][A-Za-z -]{0,40}:(?: |$)")


def mask(source: str) -> str:
    """`source` with as many characters, its lines ended by \\n: comments, tags, code elements and tables in HTML, and
    the directives of reStructuredText, overwritten by marks (`MARKS`)."""
    text = source.replace("\r\n", " \n").replace("\r", "\n").translate(_NO_MARKS)
    if _RST.search(text):
        text = _mask_rst(text)
    return _mask_html(text)


def _blank(text: str, mark: str) -> str:
    return re.sub(r"[^\n]", mark, text)


def _mask_html(text: str) -> str:
    runs = _CodeRuns(text)
    lowered = text.lower() if len(text.lower()) == len(text) else text
    parts, at = [], 0
    absent: set[str] = set()  # closing tags known not to follow
    while found := _SPECIAL.search(text, at):
        start, end, mark = found.start(), found.end(), DROP
        name = (found[2] or "").lower()
        if text[start] == "`":
            end = runs.end(start, end)
            parts.append(text[at:end])
            at = end
            continue
        if found[0] == "<!--":
            close = text.find("-->", end)
            end = close + 3 if close >= 0 else len(text)
        elif name in _CONTENT and not found[1] and name not in absent:
            mark = BREAK
            close = lowered.find(f"</{name}", end)
            if close < 0:
                absent.add(name)
            else:
                end = text.find(">", close) + 1 or len(text)
        elif name:
            mark = _mark(name, bool(found[1]), found[2])
        parts += [text[at:start], _blank(text[start:end], mark) if mark else text[start:end]]
        at = end
    return "".join(parts) + text[at:]


def _mark(name: str, closes: bool, written: str) -> str:
    """What a tag is overwritten by; '' if it is no tag of HTML: the type in Vec<T>, say."""
    if len(written) == 1 and written.isupper():
        return ""
    if name == "a":
        return LINK_END if closes else LINK
    if name == "li":
        return BREAK if closes else ITEM
    if len(name) == 2 and name[0] == "h" and name[1] in HEADS:
        return BREAK if closes else HEADS[name[1]]
    if name in _BREAKING or name in _CONTENT:
        return BREAK
    return DROP if name in _INLINE else ""


class _CodeRuns:
    """Which runs of backticks enclose code: each run is closed by the next one of its length."""

    def __init__(self, text: str) -> None:
        self.later: dict[int, list[int]] = {}
        for run in reversed(list(re.finditer("`+", text))):
            self.later.setdefault(len(run[0]), []).append(run.start())

    def end(self, start: int, end: int) -> int:
        """Where the code opened by the run from `start` to `end` ends; `end` itself if nothing closes it."""
        later = self.later.get(end - start, [])
        while later and later[-1] < end:
            later.pop()
        return later.pop() + end - start if later else end


def _mask_rst(text: str) -> str:
    """Titles get underlines that Markdown knows; directives, literal blocks and fields go, with what is indented
    under them."""
    lines, kept, under = text.split("\n"), [], False
    for i, line in enumerate(lines):
        bare = line.strip()
        title = lines[i - 1].strip() if i else ""
        under = under and (not bare or line[0] in " \t")
        if under or _DIRECTIVE.match(line) or _FIELD.match(line):
            under = under or bool(_DIRECTIVE.match(line))
            kept.append(BREAK * len(line) if bare else line)
        elif title and _UNDERLINE.fullmatch(bare) and len(bare) >= len(title) > 0:
            kept.append(("=" if bare[0] == "=" else "-") * len(line))
        else:
            under = bare.endswith("::")
            kept.append(line)
    return "\n".join(kept)
