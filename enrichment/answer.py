"""What of a model's answer can be shown to be so: parsed, validated, cut to what passages of the text support."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from enrichment.extractive import LONGEST_SUMMARY, LONGEST_USE_CASE, MOST_USE_CASES
from enrichment.passages import Passage
from enrichment.printable import one_line, without_markers
from enrichment.sentences import FULL_STOPS, clause_ends, sentences, shortened, stopped, titled
from enrichment.support import Evidence
from enrichment.words import stems, words

LONGEST_REPLY = 4_000  # characters
SHORTEST_CLAIM = 3  # content words of a sentence that was cut
SAME = 0.8  # of the words of two uses in common, and they are one

_STRING = r'"(?:[^"\\]|\\.)*"'
_CUT = re.compile(rf'\s*\{{\s*"summary"\s*:\s*({_STRING})(?:\s*,\s*"use_cases"\s*:\s*\[((?:\s*{_STRING}\s*,?)*))?')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# words of the request; a use made of nothing else says nothing
_ASKED = stems(
    ["catalogue entry summary use case task programmer sentence keyword description readme text verb example"]
)


class InvalidAnswer(ValueError):
    """The answer holds nothing that can be used. `reason` says why, in one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Reply(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    summary: str
    use_cases: list[str]


@dataclass(frozen=True)
class Answer:
    """A summary of at most 200 characters, up to 3 uses, the passages that support them, and what was mended."""

    summary: str
    use_cases: list[str]
    passages: list[Passage]
    repairs: list[str]


def read_answer(text: str, finish_reason: str | None, evidence: Evidence, headings: Iterable[str]) -> Answer:
    """The answer of a model to a prompt, as far as `evidence` supports it. Raises InvalidAnswer."""
    repairs: list[str] = []
    reply = _parsed(text, finish_reason, repairs)
    summary, shown = _summary(without_markers(reply.summary), evidence, repairs)
    uses = _Uses(evidence, summary, headings)
    refused = [uses.refuse(without_markers(use)) for use in reply.use_cases]
    repairs += [f"use case dropped: {reason}" for reason in refused if reason]
    return Answer(summary, uses.kept, list(dict.fromkeys([*shown, *uses.shown])), repairs)


def _parsed(text: str, finish_reason: str | None, repairs: list[str]) -> _Reply:
    if len(text) > LONGEST_REPLY:
        raise InvalidAnswer(f"reply of {len(text)} characters")
    if _CONTROL.search(text):
        repairs.append("control characters")
        text = _CONTROL.sub(" ", text)
    try:
        return _Reply.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidAnswer(f"not as asked: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        if finish_reason == "stop" or not (cut := _CUT.match(text)):
            raise InvalidAnswer(f"no JSON: {one_line(str(error))[:100]}") from error
    repairs.append("cut reply")
    try:
        uses = [json.loads(use) for use in re.findall(_STRING, cut[2] or "")]
        return _Reply(summary=json.loads(cut[1]), use_cases=uses)
    except ValueError as error:
        raise InvalidAnswer(f"no JSON: {one_line(str(error))[:100]}") from error


def _summary(said: str, evidence: Evidence, repairs: list[str]) -> tuple[str, list[Passage]]:
    """The supported sentences of a summary, as many as fit, and their passages; of one that is not supported, the
    first clauses that are."""
    kept, shown, refused = "", [], ""
    for start, end in sentences(said):
        sentence = stopped(said[start:end])
        for claim in _claims(sentence):
            short = shortened(claim, LONGEST_SUMMARY - len(kept) - bool(kept))
            if short and (found := evidence.support(short)):
                kept, shown = f"{kept} {short}".strip(), shown + found
                if short != sentence:
                    repairs.append("summary cut")
                break
        else:
            refused = refused or sentence
            repairs.append("sentence dropped")
    if not kept:
        lacking = ", ".join(evidence.unshown(refused)[:5])
        raise InvalidAnswer(f"unsupported: {refused[:LONGEST_SUMMARY]} ({lacking})" if refused else "empty summary")
    return kept, shown


def _claims(sentence: str) -> Iterator[str]:
    """A sentence, then what is left of it without its last clause, and so on while it says enough."""
    yield sentence
    for end in reversed(list(clause_ends(sentence))):
        if len(words(sentence[:end]).content) < SHORTEST_CLAIM:
            return
        yield stopped(sentence[:end])


class _Uses:
    """The uses kept so far, and the passages that support them."""

    def __init__(self, evidence: Evidence, summary: str, headings: Iterable[str]) -> None:
        self.kept: list[str] = []
        self.shown: list[Passage] = []
        self._evidence = evidence
        self._said = [words(summary).content]
        self._headings = {words(heading).all for heading in headings}

    def refuse(self, said: str) -> str | None:
        """Keeps a use, or says why not."""
        use = (shortened(said, LONGEST_USE_CASE, 10) or "").rstrip(FULL_STOPS)
        content, everything = words(use).content, words(use).all
        if len(everything) < 2:
            return "empty"
        if everything in self._headings:
            return "heading"
        if {form for form, _ in content} <= _ASKED:
            return "prompt words"
        if any(len(content & other) >= SAME * len(content | other) for other in self._said):
            return "duplicate"
        if len(self.kept) == MOST_USE_CASES:
            return "too many"
        if not (found := self._evidence.support(use)):
            return "unsupported"
        self.kept.append(titled(use))
        self.shown += found
        self._said.append(content)
        return None
