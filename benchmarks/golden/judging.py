"""How enrichments of the golden crates compare with what a reader said of them."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from benchmarks.golden.reading import GoldenCrate
from enrichment.passages import Passage, read
from enrichment.sentences import sentences
from enrichment.support import Evidence

_WORDS = re.compile(r"\w+")
# of a false claim's content words that a summary or use has, and it makes the claim
MAKES = 0.75
PROMPT_WORDS = {"summary", "use cases", "use case", "description", "readme", "keywords", "task", "plain sentence"}


@dataclass(frozen=True)
class Judged:
    """Shares as (how many hold, of how many), by name; and what does not, in words."""

    shares: dict[str, tuple[int, int]]
    disagreements: list[str]


Row = dict
Verdict = bool | None  # None where the question does not arise


def judge(crates: Iterable[GoldenCrate], rows: Iterable[Row]) -> Judged:
    """Every crate that has a text, against its row."""
    by_crate = {row["crate"]: row for row in rows}
    pairs = [(c, by_crate[key]) for c in crates if (key := c.name.lower().replace("-", "_")) in by_crate]
    shares, told = {}, []
    for name, verdict_of in QUESTIONS.items():
        verdicts = [(crate, row, verdict_of(crate, row)) for crate, row in pairs]
        asked = [found for found in verdicts if found[2] is not None]
        shares[name] = (sum(bool(verdict) for *_, verdict in asked), len(asked))
        told += [_words(name, crate, row) for crate, row, verdict in asked if not verdict]
    return Judged(shares, told)


def _words(name: str, crate: GoldenCrate, row: Row) -> str:
    expected = f"{crate.primary or 'unknown'} (or {', '.join(crate.also) or 'nothing else'})"
    found = f"{row['category'] or 'unknown'} by {row['category_source'] or 'nobody'}"
    said = f"{row['summary'] or 'no summary'} / {'; '.join(row['use_cases']) or 'no uses'} ({row['method']})"
    return f"- {name}: **{crate.name}** ({crate.kind}): {said}; category {found}, expected {expected}".replace(
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
    """Every sentence, by the spans of the row alone."""
    if row["summary"] is None:
        return None
    spans = [Passage(s["field"], s["start"], s["end"], s["text"]) for s in row["spans"]]
    given = {"description": crate.description or "", "readme": crate.readme or ""}
    exact = all(given[s.field][s.start : s.end] == s.text for s in spans)
    clean = [p for p in read(crate.description, crate.readme).passages if (p.field, p.start) in _places(spans)]
    evidence = Evidence(clean, [crate.name.replace("-", " ").replace("_", " ")])
    claims = [row["summary"][a:b] for a, b in sentences(row["summary"])]
    return exact and bool(claims) and all(evidence.support(claim) for claim in claims)


def _places(spans: Iterable[Passage]) -> set[tuple[str, int]]:
    return {(span.field, span.start) for span in spans}


def _no_false_claim(crate: GoldenCrate, row: Row) -> Verdict:
    said = [row["summary"] or "", *row["use_cases"]]
    return not any(_makes(text, claim) for text in said for claim in crate.false_claims)


def _makes(text: str, claim: str) -> bool:
    """Whether most long words of a claim stand in the text."""
    told, claimed = _long(text), _long(claim)
    return bool(claimed) and len(told & claimed) >= MAKES * len(claimed)


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


def use_cases_that_are_uses(crates: Iterable[GoldenCrate], rows: Iterable[Row]) -> tuple[int, int]:
    """How many use cases are neither a heading of the README nor words of the prompt."""
    by_crate = {row["crate"]: row for row in rows}
    verdicts = [
        use.lower().rstrip(".") not in _headings(crate)
        for crate in crates
        if (row := by_crate.get(crate.name.lower().replace("-", "_")))
        for use in row["use_cases"]
    ]
    return sum(verdicts), len(verdicts)


def _headings(crate: GoldenCrate) -> set[str]:
    return {heading.lower() for heading in read(crate.description, crate.readme).headings} | PROMPT_WORDS


def reliability(crates: Iterable[GoldenCrate], rows: Iterable[Row], parts: int = 3) -> Iterator[str]:
    """Accuracy of the embedding's categories from the least to the greatest margin."""
    labelled = {c.name.lower().replace("-", "_"): c for c in crates if c.primary}
    found = [r for r in rows if r["category_source"] == "embedding" and r["crate"] in labelled]
    found.sort(key=lambda row: row["category_margin"])
    for part in range(parts):
        some = found[part * len(found) // parts : (part + 1) * len(found) // parts]
        right = sum(bool(_category(labelled[row["crate"]], row)) for row in some)
        least, most = some[0]["category_margin"], some[-1]["category_margin"]
        yield f"margin {least:.3f} to {most:.3f}: {right} of {len(some)} right"


def doubts(crates: Iterable[GoldenCrate], rows: Iterable[Row], by_embedding: dict[str, str | None]) -> str:
    """Of the labelled categories that a model chose: how many it and the embedding have right. `by_embedding` is the
    embedding's category of each crate, by name."""
    labelled = {c.name.lower().replace("-", "_"): c for c in crates if c.primary}
    chosen = [(labelled[r["crate"]], r) for r in rows if r["category_source"] == "model" and r["crate"] in labelled]
    pairs = [(bool(_category(c, {"category": by_embedding[c.name]})), bool(_category(c, row))) for c, row in chosen]
    embedding, model = sum(first for first, _ in pairs), sum(second for _, second in pairs)
    better, worse = pairs.count((False, True)), pairs.count((True, False))
    return f"{len(pairs)} in doubt: embedding {embedding} right, model {model} ({better} better, {worse} worse)"


QUESTIONS: dict[str, Callable[[GoldenCrate, Row], Verdict]] = {
    "category among those a reader accepts": _category,
    "category is the reader's first": _strict_category,
    "category unknown where the text tells none": _unknown_category,
    "summary where the text allows one": _summary,
    "no summary where it does not": _no_summary,
    "summaries whose every claim its spans support": _supported,
    "nothing said of what the text only pretends": _no_false_claim,
    "some use where the text tells one": _uses,
    "language": _language,
    "rows that keep the schema": _well_formed,
}
