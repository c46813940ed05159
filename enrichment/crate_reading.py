"""From the texts of a crate to a summary and use cases: from a model's reply, or from the author's own sentences."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from enrichment import extractive
from enrichment.answer import read_answer
from enrichment.asides import is_aside
from enrichment.evidence import Evidence
from enrichment.language import language
from enrichment.passages import Field, Passage, Reading, read_texts
from enrichment.prompt import messages

_MAX_SENTENCES = 10


@dataclass(frozen=True)
class CrateText:
    """The stored texts that an author wrote about a crate."""

    name: str
    description: str | None
    readme: str | None
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class Span:
    """The exact `text` of the stored description or README from character `start` to `end`."""

    field: Field
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Draft:
    """Summary and use cases with the spans that support them.

    `summary` is None if no sentence of the text describes the crate. `language` is that of the text, ISO 639-1.
    `repairs` are changes that were made to a model's reply.
    """

    summary: str | None
    use_cases: list[str]
    spans: list[Span]
    language: str | None
    repairs: list[str] = field(default_factory=list)


class CrateReading:
    """The texts of a crate, read once. No text makes a method raise, except that `model_draft` raises InvalidAnswer."""

    def __init__(self, text: CrateText) -> None:
        self._text = text
        self._reading: Reading = read_texts(text.description, text.readme)

    @cached_property
    def language(self) -> str | None:
        """The language of the text, ISO 639-1; None if it is uncertain."""
        return language(" ".join(p.text for p in self._reading.passages[:_MAX_SENTENCES]))

    @property
    def readme(self) -> str:
        """The README's first sentences."""
        passages = [p.text for p in self._reading.passages if p.field == "readme"]
        return " ".join(passages[:_MAX_SENTENCES])

    def prompt(self) -> tuple[dict[str, str], ...] | None:
        """The messages of a prompt; None if no sentence describes the crate."""
        if all(is_aside(passage.text) for passage in self._reading.passages):
            return None
        return messages(self._text.name, self._text.keywords, self._reading.passages)

    def extractive_draft(self) -> Draft:
        """The best sentence of the text and the use cases that it names."""
        passages = self._reading.passages
        best = extractive.summary(passages, self._text.name)
        uses = extractive.use_cases(passages)
        used = ([best[1]] if best else []) + [passage for _, passage in uses]
        return self._draft(best[0] if best else None, [use for use, _ in uses], used, [])

    def model_draft(self, reply: str, finish_reason: str | None) -> Draft:
        """The part of a model's reply that the text supports. Raises InvalidAnswer."""
        evidence = Evidence(self._reading.passages, [self._text.name.replace("-", " ").replace("_", " ")])
        answer = read_answer(reply, finish_reason, evidence, self._reading.headings)
        return self._draft(answer.summary, answer.use_cases, answer.passages, answer.repairs)

    def _draft(self, summary: str | None, uses: list[str], used: Iterable[Passage], repairs: list[str]) -> Draft:
        spans = [self._span(passage) for passage in dict.fromkeys(used)]
        return Draft(summary, uses, spans, self.language, repairs)

    def _span(self, passage: Passage) -> Span:
        source = (self._text.description if passage.field == "description" else self._text.readme) or ""
        return Span(passage.field, passage.start, passage.end, source[passage.start : passage.end])
