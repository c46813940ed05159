"""A model's reply, parsed, validated and cut to what the passages of the text support."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from enrichment.evidence import Evidence
from enrichment.extractive import MAX_SUMMARY_CHARACTERS, MAX_USE_CASE_CHARACTERS, MAX_USE_CASES
from enrichment.passages import Passage
from enrichment.printable import one_line, without_markers
from enrichment.sentences import FULL_STOPS, clause_ends, sentences, shortened, stopped, titled
from enrichment.words import stems, words

MAX_REPLY_CHARACTERS = 4_000
MIN_CLAIM_WORDS = 3  # content words of a sentence that was cut
DUPLICATE_SHARE = 0.8  # two use cases that have this share of their words in common are duplicates

_STRING = r'"(?:[^"\\]|\\.)*"'
_CUT = re.compile(rf'\s*\{{\s*"summary"\s*:\s*({_STRING})(?:\s*,\s*"use_cases"\s*:\s*\[((?:\s*{_STRING}\s*,?)*))?')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# words of the prompt: a use case that has no others is an echo of it
_PROMPT_WORDS = stems(
    ["catalogue entry summary use case task programmer sentence keyword description readme text verb example"]
)


class InvalidAnswer(ValueError):
    """Nothing in the reply can be used. `reason` is one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Reply(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    summary: str
    use_cases: list[str]


@dataclass(frozen=True)
class Answer:
    """A summary of at most 200 characters, up to 3 use cases, the passages that support them, and the repairs made."""

    summary: str
    use_cases: list[str]
    passages: list[Passage]
    repairs: list[str]


def read_answer(text: str, finish_reason: str | None, evidence: Evidence, headings: Iterable[str]) -> Answer:
    """The part of a model's reply that `evidence` supports. `headings` are those of the README.

    Raises InvalidAnswer.
    """
    repairs: list[str] = []
    reply = _parsed(text, finish_reason, repairs)
    summary, passages = _summary(without_markers(reply.summary), evidence, repairs)
    uses = _UseCases(evidence, summary, headings)
    reasons = [uses.add(without_markers(use)) for use in reply.use_cases]
    repairs += [f"use case dropped: {reason}" for reason in reasons if reason]
    return Answer(summary, uses.accepted, list(dict.fromkeys([*passages, *uses.passages])), repairs)


def _parsed(text: str, finish_reason: str | None, repairs: list[str]) -> _Reply:
    if len(text) > MAX_REPLY_CHARACTERS:
        raise InvalidAnswer(f"the reply has {len(text)} characters, more than {MAX_REPLY_CHARACTERS}")
    if _CONTROL.search(text):
        repairs.append("control characters removed")
        text = _CONTROL.sub(" ", text)
    try:
        return _Reply.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidAnswer(f"not of the schema: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        if finish_reason == "stop" or not (cut := _CUT.match(text)):
            raise InvalidAnswer(f"not JSON: {one_line(str(error))[:100]}") from error
    repairs.append("reply was cut")
    try:
        uses = [json.loads(use) for use in re.findall(_STRING, cut[2] or "")]
        return _Reply(summary=json.loads(cut[1]), use_cases=uses)
    except ValueError as error:
        raise InvalidAnswer(f"not JSON: {one_line(str(error))[:100]}") from error


def _summary(reply: str, evidence: Evidence, repairs: list[str]) -> tuple[str, list[Passage]]:
    """The supported sentences of a summary, as many as fit, and their passages.

    A sentence without support is cut to its first clauses, if they have support.
    """
    summary, passages, unsupported = "", [], ""
    for start, end in sentences(reply):
        sentence = stopped(reply[start:end])
        for claim in _claims(sentence):
            short = shortened(claim, MAX_SUMMARY_CHARACTERS - len(summary) - bool(summary))
            if short and (found := evidence.support(short)):
                summary, passages = f"{summary} {short}".strip(), passages + found
                if short != sentence:
                    repairs.append("summary cut")
                break
        else:
            unsupported = unsupported or sentence
            repairs.append("sentence dropped")
    if not summary and not unsupported:
        raise InvalidAnswer("empty summary")
    if not summary:
        missing = ", ".join(evidence.missing_words(unsupported)[:5])
        raise InvalidAnswer(f"the text does not support: {unsupported[:MAX_SUMMARY_CHARACTERS]} (missing: {missing})")
    return summary, passages


def _claims(sentence: str) -> Iterator[str]:
    """A sentence, then the sentence without its last clause, and so on while enough words are left."""
    yield sentence
    for end in reversed(list(clause_ends(sentence))):
        if len(words(sentence[:end]).content) < MIN_CLAIM_WORDS:
            return
        yield stopped(sentence[:end])


class _UseCases:
    """The use cases that were accepted, and the passages that support them."""

    def __init__(self, evidence: Evidence, summary: str, headings: Iterable[str]) -> None:
        self.accepted: list[str] = []
        self.passages: list[Passage] = []
        self._evidence = evidence
        self._known = [words(summary).content]
        self._headings = {words(heading).all for heading in headings}

    def add(self, reply: str) -> str | None:
        """Adds a use case, or returns the reason why not."""
        use = (shortened(reply, MAX_USE_CASE_CHARACTERS, 10) or "").rstrip(FULL_STOPS)
        content, everything = words(use).content, words(use).all
        if len(everything) < 2:
            return "empty"
        if everything in self._headings:
            return "heading"
        if {form for form, _ in content} <= _PROMPT_WORDS:
            return "prompt words"
        if any(len(content & other) >= DUPLICATE_SHARE * len(content | other) for other in self._known):
            return "duplicate"
        if len(self.accepted) == MAX_USE_CASES:
            return "too many"
        if not (found := self._evidence.support(use)):
            return "unsupported"
        self.accepted.append(titled(use))
        self.passages += found
        self._known.append(content)
        return None
