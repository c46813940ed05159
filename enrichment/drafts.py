"""From a crate's text to a grounded draft: by its own sentences, or from what a model answered."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from enrichment import extractive
from enrichment.answer import read_answer
from enrichment.asides import is_aside
from enrichment.language import language
from enrichment.passages import Field, Passage, Reading, read
from enrichment.prompt import messages
from enrichment.support import Evidence

_FIRST_SENTENCES = 10


@dataclass(frozen=True)
class CrateText:
    """What an author wrote about a crate, as stored. Texts are None where there are none."""

    name: str
    description: str | None
    readme: str | None
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class Span:
    """`text` is the stored description or README from character `start` to `end`, exactly."""

    field: Field
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Draft:
    """`summary` is None where the text says nothing that can be shown; `language` is that of the text, ISO 639-1."""

    summary: str | None
    use_cases: list[str]
    spans: list[Span]
    language: str | None
    repairs: list[str] = field(default_factory=list)


class CrateReading:
    """A crate's text, read once. Nothing in a text makes a method raise but `ground`, and that only as it says."""

    def __init__(self, text: CrateText) -> None:
        self._text = text
        self._reading: Reading = read(text.description, text.readme)

    @cached_property
    def language(self) -> str | None:
        """Language of the text, ISO 639-1; None if that cannot be told."""
        return language(" ".join(p.text for p in self._reading.passages[:_FIRST_SENTENCES]))

    @property
    def readme(self) -> str:
        """The README's first sentences."""
        passages = [p.text for p in self._reading.passages if p.field == "readme"]
        return " ".join(passages[:_FIRST_SENTENCES])

    def prompt(self) -> tuple[dict[str, str], ...] | None:
        """The messages to ask a model with; None if there is nothing to ask about."""
        if all(is_aside(passage.text) for passage in self._reading.passages):
            return None
        return messages(self._text.name, self._text.keywords, self._reading.passages)

    def extract(self) -> Draft:
        """The text's own best sentence and the uses it names."""
        passages = self._reading.passages
        best = extractive.summary(passages, self._text.name)
        uses = extractive.use_cases(passages)
        used = ([best[1]] if best else []) + [passage for _, passage in uses]
        return self._draft(best[0] if best else None, [use for use, _ in uses], used, [])

    def ground(self, reply: str, finish_reason: str | None) -> Draft:
        """What of a model's reply the text supports. Raises InvalidAnswer."""
        evidence = Evidence(self._reading.passages, [self._text.name.replace("-", " ").replace("_", " ")])
        answer = read_answer(reply, finish_reason, evidence, self._reading.headings)
        return self._draft(answer.summary, answer.use_cases, answer.passages, answer.repairs)

    def _draft(self, summary: str | None, uses: list[str], used: Iterable[Passage], repairs: list[str]) -> Draft:
        spans = [self._span(passage) for passage in dict.fromkeys(used)]
        return Draft(summary, uses, spans, self.language, repairs)

    def _span(self, passage: Passage) -> Span:
        source = (self._text.description if passage.field == "description" else self._text.readme) or ""
        return Span(passage.field, passage.start, passage.end, source[passage.start : passage.end])
