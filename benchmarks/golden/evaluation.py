"""Compares enrichments of the golden crates with their labels."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from benchmarks.golden.labels import GoldenCrate
from enrichment.evidence import Evidence
from enrichment.passages import Passage, read_texts
from enrichment.sentences import sentences

_WORDS = re.compile(r"\w+")
# a text that has this share of the long words of a false claim makes the claim
MIN_CLAIM_SHARE = 0.75
PROMPT_WORDS = {"summary", "use cases", "use case", "description", "readme", "keywords", "task", "plain sentence"}


@dataclass(frozen=True)
class Evaluation:
    """`shares` are pairs (passed, all) by question; `disagreements` are lines of Markdown."""

    shares: dict[str, tuple[int, int]]
    disagreements: list[str]


Row = dict
Verdict = bool | None  # None if the question does not apply


def evaluate(crates: Iterable[GoldenCrate], rows: Iterable[Row]) -> Evaluation:
    """Compares every crate that has a text with its row."""
    by_crate = {row["crate"]: row for row in rows}
    pairs = [(c, by_crate[key]) for c in crates if (key := c.name.lower().replace("-", "_")) in by_crate]
    shares, disagreements = {}, []
    for name, verdict_of in QUESTIONS.items():
        verdicts = [(crate, row, verdict_of(crate, row)) for crate, row in pairs]
        applying = [found for found in verdicts if found[2] is not None]
        shares[name] = (sum(bool(verdict) for *_, verdict in applying), len(applying))
        disagreements += [_line(name, crate, row) for crate, row, verdict in applying if not verdict]
    return Evaluation(shares, disagreements)


def _line(name: str, crate: GoldenCrate, row: Row) -> str:
    expected = f"{crate.primary or 'unknown'} (or {', '.join(crate.also) or 'nothing else'})"
    found = f"{row['category'] or 'unknown'} by {row['category_source'] or 'no source'}"
    text = f"{row['summary'] or 'no summary'} / {'; '.join(row['use_cases']) or 'no uses'} ({row['method']})"
    return f"- {name}: **{crate.name}** ({crate.kind}): {text}; category {found}, expected {expected}".replace(
        "<", "&lt;"
    )


def _category(crate: GoldenCrate, row: Row) -> Verdict:
    return row["category"] in {crate.primary, *crate.also} if crate.primary else None


def _strict_category(crate: GoldenCrate, row: Row) -> Verdict:
    return row["category"] == crate.primary if crate.primary else None


def _unknown_category(crate: GoldenCrate, row: Row) -> Verdict:
    return None if crate.primary else row["category"] is None


def _summary(crate: GoldenCrate, row: Row) -> Verdict:
    return row["summary"] is not None if crate.has_summary else None


def _no_summary(crate: GoldenCrate, row: Row) -> Verdict:
    return None if crate.has_summary else row["summary"] is None


def _supported(crate: GoldenCrate, row: Row) -> Verdict:
    """Whether the spans are exact and support every sentence of the summary."""
    if row["summary"] is None:
        return None
    spans = [Passage(s["field"], s["start"], s["end"], s["text"]) for s in row["spans"]]
    sources = {"description": crate.description or "", "readme": crate.readme or ""}
    exact = all(sources[s.field][s.start : s.end] == s.text for s in spans)
    clean = [p for p in read_texts(crate.description, crate.readme).passages if (p.field, p.start) in _places(spans)]
    evidence = Evidence(clean, [crate.name.replace("-", " ").replace("_", " ")])
    claims = [row["summary"][a:b] for a, b in sentences(row["summary"])]
    return exact and bool(claims) and all(evidence.support(claim) for claim in claims)


def _places(spans: Iterable[Passage]) -> set[tuple[str, int]]:
    return {(span.field, span.start) for span in spans}


def _no_false_claim(crate: GoldenCrate, row: Row) -> Verdict:
    texts = [row["summary"] or "", *row["use_cases"]]
    return not any(_makes(text, claim) for text in texts for claim in crate.false_claims)


def _makes(text: str, claim: str) -> bool:
    """Whether most long words of a claim are in the text."""
    found, claimed = _long(text), _long(claim)
    return bool(claimed) and len(found & claimed) >= MIN_CLAIM_SHARE * len(claimed)


def _long(text: str) -> set[str]:
    return {word for word in _WORDS.findall(text.lower()) if len(word) > 3}


def _language(crate: GoldenCrate, row: Row) -> Verdict:
    return row["language"] == crate.language if crate.language else None


def _well_formed(crate: GoldenCrate, row: Row) -> Verdict:
    texts: list[str] = [*([row["summary"]] if row["summary"] else []), *row["use_cases"]]
    short = len(row["summary"] or "") <= 200 and len(row["use_cases"]) <= 3
    return short and all(text.isprintable() and text.strip() for text in texts)


def _uses(crate: GoldenCrate, row: Row) -> Verdict:
    return bool(row["use_cases"]) if crate.use_cases else None


def real_use_cases(crates: Iterable[GoldenCrate], rows: Iterable[Row]) -> tuple[int, int]:
    """The number of use cases that are neither headings of the README nor words of the prompt, and of all."""
    by_crate = {row["crate"]: row for row in rows}
    verdicts = [
        use.lower().rstrip(".") not in _headings(crate)
        for crate in crates
        if (row := by_crate.get(crate.name.lower().replace("-", "_")))
        for use in row["use_cases"]
    ]
    return sum(verdicts), len(verdicts)


def _headings(crate: GoldenCrate) -> set[str]:
    return {heading.lower() for heading in read_texts(crate.description, crate.readme).headings} | PROMPT_WORDS


def accuracy_by_margin(crates: Iterable[GoldenCrate], rows: Iterable[Row], parts: int = 3) -> Iterator[str]:
    """The accuracy of the embedding's categories in equal parts by margin, the lowest first."""
    labelled = {c.name.lower().replace("-", "_"): c for c in crates if c.primary}
    found = [r for r in rows if r["category_source"] == "embedding" and r["crate"] in labelled]
    found.sort(key=lambda row: row["category_margin"])
    for part in range(parts):
        rows_of_part = found[part * len(found) // parts : (part + 1) * len(found) // parts]
        right = sum(bool(_category(labelled[row["crate"]], row)) for row in rows_of_part)
        lowest, highest = rows_of_part[0]["category_margin"], rows_of_part[-1]["category_margin"]
        yield f"margin {lowest:.3f} to {highest:.3f}: {right} of {len(rows_of_part)} right"


def compare_categories(crates: Iterable[GoldenCrate], rows: Iterable[Row], by_embedding: dict[str, str | None]) -> str:
    """How many of the labelled categories that a model chose are right, and how many of the embedding's.

    `by_embedding` is the embedding's category by the name of the crate.
    """
    labelled = {c.name.lower().replace("-", "_"): c for c in crates if c.primary}
    chosen = [(labelled[r["crate"]], r) for r in rows if r["category_source"] == "model" and r["crate"] in labelled]
    pairs = [(bool(_category(c, {"category": by_embedding[c.name]})), bool(_category(c, row))) for c, row in chosen]
    embedding, model = sum(first for first, _ in pairs), sum(second for _, second in pairs)
    better, worse = pairs.count((False, True)), pairs.count((True, False))
    return f"{len(pairs)} uncertain: embedding {embedding} right, model {model} ({better} better, {worse} worse)"


QUESTIONS: dict[str, Callable[[GoldenCrate, Row], Verdict]] = {
    "category among those a reader accepts": _category,
    "category is the reader's first": _strict_category,
    "category unknown if the text names none": _unknown_category,
    "summary if the text allows one": _summary,
    "no summary if it does not": _no_summary,
    "summaries whose every claim its spans support": _supported,
    "no claim that the text only pretends": _no_false_claim,
    "a use case if the text names one": _uses,
    "language": _language,
    "rows that match the schema": _well_formed,
}
