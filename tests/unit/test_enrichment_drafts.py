"""Summary and use cases: in the author's own words, or a model's reply as far as these words support it."""

import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrichment.answer import InvalidAnswer
from enrichment.crate_reading import CrateReading, CrateText, Draft
from enrichment.extractive import MAX_SUMMARY_CHARACTERS
from enrichment.sentences import shortened
from resources.common.settings import PROJECT
from testing.fuzzing import times
from testing.hostile_texts import SOUP

DESCRIPTIONS = {
    row["name"]: row["description"] for row in csv.DictReader((PROJECT / "sample" / "descriptions.csv").open())
}


def reply(summary: str, *uses: str) -> str:
    return json.dumps({"summary": summary, "use_cases": uses})


def test_good_description_is_the_summary() -> None:
    for name, text in DESCRIPTIONS.items():
        draft = CrateReading(CrateText(name, text, None)).extractive_draft()
        assert draft.summary == text
        assert draft.spans[0].text == text
        assert draft.language == "en"


@pytest.mark.parametrize(
    ("description", "readme", "expected"),
    [
        ("WIP", "# Foo\n\nFoo is a parser for logs. It is fast.", "Foo is a parser for logs."),
        ("Tables.", "foo aligns the columns of Markdown tables.", "foo aligns the columns of Markdown tables."),
        (None, "Hello! Do you need logs? This is a fork of bar. A reader of server logs.", "A reader of server logs."),
        ("foo", None, None),
        (None, None, None),
        ("", "```\nlet a = 1;\n```", None),
        ("一个快速的配置文件解析器", None, "一个快速的配置文件解析器。"),
    ],
)
def test_summary_is_the_best_sentence(description: str | None, readme: str | None, expected: str | None) -> None:
    assert CrateReading(CrateText("foo", description, readme)).extractive_draft().summary == expected


def test_long_sentence_is_cut_at_a_clause() -> None:
    long = "Reads the logs of servers and counts what is in them, " + "and more " * 30
    assert shortened(long, MAX_SUMMARY_CHARACTERS) == "Reads the logs of servers and counts what is in them."
    assert shortened("word " * 60, MAX_SUMMARY_CHARACTERS) is None
    assert shortened("A reader of logs (of servers, " + "and more " * 30, MAX_SUMMARY_CHARACTERS) is None


def test_use_cases_are_those_that_the_text_names() -> None:
    readme = (
        "Useful for counting words in logs. Not suitable for parsing large tables.\n\n"
        "# Use cases\n\n- Watching a server\n\n# Features\n\n- Very fast\n"
    )
    draft = CrateReading(CrateText("foo", None, readme)).extractive_draft()
    assert draft.use_cases == ["Counting words in logs", "Watching a server"]


READING = CrateReading(
    CrateText("foo", "Parses JSON files. Prints tables.", "# Fast parsing\n\nServers may read logs with it.")
)


def test_supported_reply_is_not_changed() -> None:
    draft = READING.model_draft(reply("Parses JSON files and prints tables.", "read logs", "print tables"), "stop")
    assert draft.summary == "Parses JSON files and prints tables."
    assert (draft.use_cases, draft.repairs) == (["Read logs", "Print tables"], [])
    assert [s.text for s in draft.spans] == ["Parses JSON files.", "Prints tables.", "Servers may read logs with it."]


@pytest.mark.parametrize(
    ("text", "reason", "summary", "uses", "repairs"),
    [
        (reply("Parses JSON files, with magic."), "stop", "Parses JSON files.", [], ["summary cut"]),
        (reply("Parses JSON files. Heals cats."), "stop", "Parses JSON files.", [], ["sentence dropped"]),
        (
            '{"summary":"Parses JSON files.","use_cases":["read lo',
            "length",
            "Parses JSON files.",
            [],
            ["reply was cut"],
        ),
        (
            '{"summary":"Parses\n JSON files.","use_cases":[]}',
            "stop",
            "Parses JSON files.",
            [],
            ["control characters removed"],
        ),
        (reply("Parses JSON files.", "fast parsing"), "stop", "Parses JSON files.", [], ["use case dropped: heading"]),
        (reply("Parses JSON files.", "parse JSON files"), "stop", None, [], ["use case dropped: duplicate"]),
        (reply("Parses JSON files.", "heal cats"), "stop", None, [], ["use case dropped: unsupported"]),
        (reply("Parses JSON files.", "use case"), "stop", None, [], ["use case dropped: prompt words"]),
        (reply("Parses JSON files.", "", "read logs"), "stop", None, ["Read logs"], ["use case dropped: empty"]),
    ],
)
def test_reply_is_repaired(text: str, reason: str, summary: str | None, uses: list[str], repairs: list[str]) -> None:
    draft = READING.model_draft(text, reason)
    assert draft.summary == (summary or "Parses JSON files.")
    assert (draft.use_cases, draft.repairs) == (uses, repairs)


@pytest.mark.parametrize(
    ("text", "finish_reason", "reason"),
    [
        ("", "stop", "not JSON"),
        ("Sure! Here it is", "stop", "not JSON"),
        ('{"summary":"Parses JSON fi', "length", "not JSON"),
        ("[" * 3_000, "stop", "not JSON"),
        ("9" * 3_999, "stop", "not"),
        ("a" * 1_000_000, "stop", "the reply has 1000000 characters, more than 4000"),
        ('{"summary": 1, "use_cases": []}', "stop", "not of the schema: summary"),
        ('{"summary": "Parses JSON files."}', "stop", "not of the schema: use_cases"),
        (reply(""), "stop", "empty summary"),
        (reply("Heals cats."), "stop", "the text does not support: Heals cats. (missing: cat, heal)"),
        (reply("Does not parse JSON files."), "stop", "the text does not support"),
    ],
)
def test_reply_without_support_is_refused(text: str, finish_reason: str, reason: str) -> None:
    with pytest.raises(InvalidAnswer) as error:
        READING.model_draft(text, finish_reason)
    assert error.value.reason.startswith(reason)


def check_draft(draft: Draft, text: CrateText) -> None:
    shown = [*([] if draft.summary is None else [draft.summary]), *draft.use_cases]
    assert all(one and one.isprintable() and len(one) <= MAX_SUMMARY_CHARACTERS for one in shown)
    assert len(draft.use_cases) <= 3
    for span in draft.spans:
        assert ((text.description if span.field == "description" else text.readme) or "")[
            span.start : span.end
        ] == span.text


@settings(max_examples=times(100), deadline=None)
@given(SOUP, SOUP, SOUP)
def test_drafts_of_any_text_are_printable_and_exact(name: str, description: str, readme: str) -> None:
    text = CrateText(name, description, readme, (name, description))
    check_draft(CrateReading(text).extractive_draft(), text)
    CrateReading(text).prompt()


@settings(max_examples=times(100), deadline=None)
@given(SOUP, SOUP, st.text() | SOUP.map(reply) | st.tuples(SOUP, SOUP).map(lambda t: reply(*t)), st.booleans())
def test_drafts_of_any_reply_are_printable_and_exact(
    description: str, readme: str, text_of_reply: str, is_cut: bool
) -> None:
    text = CrateText("foo", description, readme)
    try:
        draft = CrateReading(text).model_draft(
            text_of_reply[:-3] if is_cut else text_of_reply, "length" if is_cut else "stop"
        )
    except InvalidAnswer as error:
        assert error.reason.isprintable()
    else:
        assert draft.summary and draft.spans
        check_draft(draft, text)
