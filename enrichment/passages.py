"""The sentences in which an author describes a crate, with their exact positions in the stored text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from enrichment.blocks import Block, blocks, segments
from enrichment.inline import CleanText, clean
from enrichment.masking import mask_description, mask_readme
from enrichment.sentences import sentences

Field = Literal["description", "readme"]

MAX_README_CHARACTERS = 20_000  # a README describes the crate at its beginning
MAX_DESCRIPTION_CHARACTERS = 2_000
MAX_PASSAGES = 200  # of a crate

# headings of sections that do not describe the crate, or describe other crates or plans
_BOILERPLATE = re.compile(
    r"(?:the )?(?:licen[sc]e|licen[sc]ing|copyright|contribut(?:ing|ors?|ions?)|install(?:ation|ing)?\b|"
    r"how to (?:build|install|contribute)|minimum (?:supported )?rust|(?:supported )?rustc? (?:compiler )?versions?|"
    r"(?:similar|related|other) (?:crates|projects|libraries|work|tools)|compar(?:ison|ed) (?:with|to|of)|planned|"
    r"running (?:the )?(?:tests|benchmarks|examples)|build(?:ing)? (?:from|the|instructions)|(?:special )?thanks|"
    r"migrat\w+ (?:from|guide)|add\w* .{0,30}to your|future (?:work|plans|ideas|directions)|"
    r"differences? (?:from|to|between|with)|sponsor).{0,60}"
    r"|(?:the )?(?:code of conduct|getting started|quick ?start|change ?log|changes|releases?|release notes|"
    r"what'?s new|news|versions?|versioning|msrv|semver|backers|funding|donat(?:e|ions?)|table of contents|contents|"
    r"toc|acknowledge?ments?|credits|authors?|maintainers?|(?:useful |quick )?links|resources|references|see also|"
    r"further reading|build(?:ing)?|compil(?:ing|ation)|test(?:s|ing)?|running|develop(?:ment|ing)|hacking|community|"
    r"contact|support|help|questions|faq|road ?map|to ?-?dos?|to do list|coming soon|alternatives|comparison|prior art|"
    r"inspiration|(?:api )?(?:documentation|docs)|migration|upgrading|dependencies|requirements|prerequisites|"
    r"security|usage|disclaimer|status|project status|limitations|known issues)",
    re.IGNORECASE,
)

# sentences of a README about the project, not about what the crate does
_CHORES = re.compile(
    r"cargo\.toml|cargo (?:add|install)\b|licen[sc]ed under|(?:mit|apache)\b.*licen[sc]e|dual[- ]licen|"
    r"\bcontribut(?:e|ions?|ing)\b|pull requests?\b.{0,20}welcome|\bmsrv\b|minimum supported rust|^see\b|"
    r"^(?:please |also |for [^,]{0,60},? ?(?:please )?)?(?:see|read|check out|refer to|consult|visit)\b.{0,40}\b"
    r"(?:docs?|documentation|examples?|book|guide|wiki|changelog|website|page|license|repository)\b|"
    r"(?:documentation|docs) (?:is|are|can be)\b|give (?:it|us|this).{0,20}star|\bpatreon|buy me a|"
    r"join (?:us|our|the)\b.{0,20}(?:discord|chat|community)|(?:file|open) an issue|semantic versioning|"
    r"semver compat|click here|requires? (?:rust|rustc)\b|\brustup\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CODE = re.compile(
    r"""\{\s*["']|[{};]\s*$|^(?:use|let|fn|pub|impl|struct|extern|\$|>>>|#\[|//) ?\S*.*(?:[;{]|::)|=>|\)\?"""
)


@dataclass(frozen=True)
class Passage:
    """A sentence: `text` is source[start:end] without markup, on one line.

    `start` and `end` count characters of the description or README, `section` is the heading above or ''.
    """

    field: Field
    start: int
    end: int
    text: str
    section: str = ""
    is_item: bool = False


@dataclass(frozen=True)
class Reading:
    """The passages of a crate's texts and the headings of its README."""

    passages: list[Passage]
    headings: list[str]


def read_texts(description: str | None, readme: str | None) -> Reading:
    """The prose of both texts in reading order, at most `MAX_PASSAGES`, and the README's headings. Never raises."""
    found = list(_of_description((description or "")[:MAX_DESCRIPTION_CHARACTERS]))
    headings: list[str] = []
    for passage in _of_readme(_beginning(readme or ""), headings):
        found.append(passage)
        if len(found) >= MAX_PASSAGES:
            break
    return Reading(found[:MAX_PASSAGES], headings)


def _beginning(readme: str) -> str:
    """The part of a README that is read: whole lines, unless the first one is too long."""
    if len(readme) <= MAX_README_CHARACTERS:
        return readme
    return readme[: readme.rfind("\n", 0, MAX_README_CHARACTERS) + 1 or MAX_README_CHARACTERS]


def _of_description(description: str) -> Iterator[Passage]:
    """A description is not Markdown: its lines may be indented, and are broken where the author's editor broke them."""
    masked = mask_description(description)
    for part in re.finditer(r"[^\n]+(?:\n(?![ \t]*(?:\n|[-*] ))[^\n]+)*", masked):
        lead = re.match(r"[ \t]*(?:[-*#]+ )?", part[0])
        start = part.start() + (lead.end() if lead else 0)
        is_item = "- " in masked[part.start() : start]
        block = Block(masked[start : part.end()], list(range(start, part.end())), 0, is_item)
        for segment in segments(block):
            text = clean(segment, set())
            yield from _sentences("description", text, segment.is_item, "", 1)


def _of_readme(readme: str, headings: list[str]) -> Iterator[Passage]:
    """The passages of a README. Adds its headings to `headings`."""
    found, references = blocks(mask_readme(readme))
    section, skipped = "", 0  # `skipped` is the level of the heading whose section is left out
    for block in found:
        text = clean(block, references)
        if block.level:
            section = _heading(text.text)
            headings.append(section)
            if not skipped or block.level <= skipped:
                skipped = block.level if _is_boilerplate(section) else 0
        elif not skipped and not block.text.lstrip().startswith((".. ", "[!")):
            sentences_of_block = _sentences("readme", text, block.is_item, section, 2)
            yield from (passage for passage in sentences_of_block if not _CHORES.search(passage.text))


def _heading(text: str) -> str:
    return text.strip(" #:=.-–—")[:100]


def _is_boilerplate(heading: str) -> bool:
    bare = re.sub(r"^[\W\d_]+", "", heading)
    return bool(_BOILERPLATE.fullmatch(bare))


def _sentences(field: Field, text: CleanText, is_item: bool, section: str, min_words: int) -> Iterator[Passage]:
    for start, end in sentences(text.text):
        sentence = text.text[start:end]
        if _is_prose(sentence, text.is_linked[start:end], min_words):
            yield Passage(field, text.positions[start], text.positions[end - 1] + 1, sentence, section, is_item)


def _is_prose(sentence: str, is_linked: list[bool], min_words: int) -> bool:
    """Whether it has words outside links, and is neither code nor a line that introduces a list or a code block."""
    unlinked = "".join(" " if in_link else char for char, in_link in zip(sentence, is_linked))
    if len(_WORD.findall(sentence)) < min_words and len(_WIDE.findall(sentence)) < 4:
        return False
    if any(is_linked) and not (_WORD.search(unlinked) or _WIDE.search(unlinked)):
        return False
    if sentence[-1] in ":：" and len(sentence.split()) < 6:
        return False
    return not _CODE.search(sentence)
