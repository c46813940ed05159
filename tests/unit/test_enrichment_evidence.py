"""Claims are supported by the words of passages, and by nothing else."""

import csv

import pytest

from enrichment.evidence import Evidence
from enrichment.passages import Passage, read_texts
from enrichment.words import stem
from resources.common.settings import PROJECT

DESCRIPTIONS = {
    row["name"]: row["description"] for row in csv.DictReader((PROJECT / "sample" / "descriptions.csv").open())
}
PARSER = "Parses JSON 1.2 files asynchronously without copying, for use in serde_json servers."


def passages(description: str | None, readme: str | None) -> list[Passage]:
    return read_texts(description, readme).passages


@pytest.mark.parametrize(
    "family",
    [
        "parse parses parsed parser parsers parsing",
        "serialise serialize serialization serializer serializable",
        "async asynchronous asynchronously",
        "compress compression compressor compressing",
        "run running runner",
        "embed embedded embedding",
        "configure configuration config configurable",
        "generate generator generation",
        "colour color coloured",
        "dependency dependencies",
        "dir directory directories",
        "repo repository repositories",
        "db database databases",
    ],
)
def test_forms_of_a_word_have_one_stem(family: str) -> None:
    assert len({stem(word) for word in family.split()}) == 1


@pytest.mark.parametrize(
    ("claim", "is_supported"),
    [
        ("An async parser for JSON files.", True),
        ("A Rust library that allows parsing of JSON 1.2 without copies.", True),
        ("Parses JSON 1.3 files.", False),
        ("Parses YAML files.", False),
        ("Does not parse JSON files.", False),
        ("Copies JSON files.", False),
        ("Servers with serde_json.", True),
        ("Servers with serde_yaml.", False),
        ("A Rust library.", False),
        ("Fast parser of JSON.", False),
    ],
)
def test_claim_needs_its_words_with_the_same_numbers_and_identifiers(claim: str, is_supported: bool) -> None:
    assert (Evidence(passages(PARSER, None)).support(claim) is not None) is is_supported


def test_claim_needs_the_same_negation() -> None:
    evidence = Evidence(passages("This is not a parser. It does not validate input. It reads logs, not tables.", None))
    assert evidence.support("A parser.") is None
    assert evidence.support("Validates input.") is None
    assert evidence.support("Reads tables.") is None
    assert evidence.support("Reads logs.")
    assert evidence.support("Does not validate input.")
    assert evidence.support("Does not read logs.") is None


def test_support_has_few_passages_in_reading_order() -> None:
    evidence = Evidence(passages(None, "Alpha reads. Beta writes. Gamma sorts. Delta merges."))
    assert [p.text for p in evidence.support("Gamma alpha") or []] == ["Alpha reads.", "Gamma sorts."]
    assert evidence.support("Alpha, beta, gamma and delta") is None


def test_description_supports_itself_and_no_other_crate() -> None:
    evidence = {name: Evidence(passages(text, None), [name]) for name, text in DESCRIPTIONS.items()}
    for name, text in list(DESCRIPTIONS.items())[::5]:
        assert [other for other in evidence if evidence[other].support(text)] == [name]
