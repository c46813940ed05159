"""Comments and hidden elements in Markdown: they are never read, and an opener that is only shown hides nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrichment.crate_reading import CrateReading, CrateText
from enrichment.passages import Passage, read_texts
from testing.fuzzing import times

SENTENCE = "A parser for the logs of web servers."
OPENERS = ["<!--", "<script>", "<style>", "<pre>", "<table>", "<svg>", "<textarea>", "<?php", "<![CDATA[", "<!DOCTYPE"]
# what shows an opener without opening anything
SHOWN = {
    "tilde fence": "~~~\n{}\n~~~",
    "backtick fence": "```html\n{}\n```",
    "longer fence": "~~~~\n~~~\n{}\n~~~~",
    "fence in an item": "- Some item\n\n  ~~~\n  {}\n  ~~~",
    "fence in a quote": "> ~~~\n> {}\n> ~~~",
    "indented code": "Before it:\n\n    {}",
    "indented code after a heading": "# Name\n\n    {}\n    more code",
    "inline code": "Reads `{}` and more.",
    "inline code of two backticks": "Reads ``a ` {}`` and more.",
    "running text": "The opener {} is found in pages.",
    "end of a paragraph": "The opener is {}",
    "item": "- The opener {} is found",
    "heading": "# Of {}",
    "cell": "| a | b |\n|---|---|\n| {} | c |",
    "escaped": "Escapes \\{} in pages.",
}


def passages(description: str | None, readme: str | None) -> list[Passage]:
    return read_texts(description, readme).passages


def texts(readme: str) -> list[str]:
    return [passage.text for passage in passages(None, readme)]


def summary(description: str) -> str | None:
    return CrateReading(CrateText("foo", description, None)).extractive_draft().summary


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_shown_opener_hides_nothing_after_it(shown: str, opener: str) -> None:
    assert SENTENCE in texts(f"{shown.format(opener)}\n\n{SENTENCE}\n")


@settings(max_examples=times(200), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(SHOWN.values())), st.sampled_from(OPENERS)), min_size=1, max_size=6))
def test_any_number_of_shown_openers_hide_nothing_after_them(shown: list[tuple[str, str]]) -> None:
    readme = "\n\n".join(text.format(opener) for text, opener in shown)
    assert SENTENCE in texts(f"{readme}\n\n{SENTENCE}\n")


def test_opener_is_not_closed_by_code_or_by_another_paragraph() -> None:
    assert texts(f"Finds <!-- in pages.\n\n{SENTENCE}\n\nAnd --> too, it says.")[1] == SENTENCE
    assert texts(f"Finds <script> in pages.\n\n{SENTENCE}\n\nAnd </script> too.")[1] == SENTENCE
    assert SENTENCE in texts(f"A stray ` here.\n\n{SENTENCE}\n\n<!-- hidden words ` here -->")
    assert texts("<table>\n\n~~~\n</table>\n~~~\n\nWords of a cell.\n\n</table>") == []


def test_name_of_an_element_in_a_sentence_stays() -> None:
    assert texts("Escapes <script> and `<!--` in templates.") == ["Escapes <script> and <!-- in templates."]


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- hidden words -->",
        "<!-- hidden words\n\nmore hidden words\n\n-->",
        "<!-->",
        "<!--->",
        "   <!-- hidden words\n~~~\nmore hidden words\n~~~\n-->",
        "- <!-- hidden words\n\n  more hidden words -->",
        "> <!-- hidden words\n> more hidden words -->",
        "[//]: # (hidden words)",
        "[comment]: <> (hidden words)",
        "Read <!-- hidden words --> these.",
        "Read <!-- hidden\nwords --> these.",
        "<div>\n  <!-- hidden words\n\n  more hidden words -->\n</div>",
        "<div>\n  words <!-- hidden words\n\n  more hidden words -->\n</div>",
        "<p>words <!-- hidden words\n\n  more hidden words --></p>",
        "<custom-tag>\n  words <!-- hidden words\n\n  more hidden words -->\n</custom-tag>",
        "<div>\n  words <!-- hidden words\n\n~~~\n-->\n~~~\n\n  more hidden words -->\n</div>",
        "<p align=center>\n    <!-- hidden words -->\n</p>",
        "<script>\nhidden words\n\nmore hidden words\n</script>",
        "<STYLE type='text/css'>\nhidden words\n\nmore hidden words\n</style>",
        "<textarea>\n\nhidden words\n\n</textarea>",
        "<?php\n\nhidden words\n\n?>",
        "<!DOCTYPE html PUBLIC 'hidden words'>",
        "<![CDATA[\n\nhidden words\n\n]]>",
        "<!-- hidden words -->\n    hidden code words",
        "<table>\n<tr><td>\n\nhidden words\n\n</td></tr>\n</table>",
    ],
)
def test_comment_and_hidden_element_end_where_commonmark_ends_them(hidden: str) -> None:
    found = texts(f"{hidden}\n\n{SENTENCE}\n")
    assert SENTENCE in found
    assert "hidden" not in " ".join(found)


@pytest.mark.parametrize("opener", ["<!-- ", "<script>", "<style>\n", "<?php ", "<![CDATA[", "<pre>"])
def test_unclosed_html_block_hides_the_rest_of_its_container_only(opener: str) -> None:
    assert texts(f"{SENTENCE}\n\n{opener}hidden words\n\nMore hidden words.\n") == [SENTENCE]
    assert SENTENCE in texts(f"> {opener}hidden words\n\n{SENTENCE}")
    assert SENTENCE in texts(f"- {opener}hidden words\n\n{SENTENCE}")


@pytest.mark.parametrize(
    ("readme", "expected"),
    [
        (
            "Reads `<!-- words -->` and `<script>` or `</script>` tags.",
            "Reads <!-- words --> and <script> or </script> tags.",
        ),
        ("Escapes \\<!-- these words --> in pages.", "Escapes <!-- these words --> in pages."),
        ("Reads <!--> these words --> in pages.", "Reads these words --> in pages."),
        ("Reads words\n    <!-- of pages.", "Reads words <!-- of pages."),
        ("> Reads words\n    <!-- of pages.", "Reads words <!-- of pages."),
    ],
)
def test_text_that_is_not_a_comment_is_read(readme: str, expected: str) -> None:
    assert texts(f"{readme}\n\n{SENTENCE}") == [expected, SENTENCE]


def test_text_beside_a_comment_is_read() -> None:
    assert texts("<!-- hidden -->Words beside a comment.") == ["Words beside a comment."]
    assert texts("<!-- a -->\n<!-- b\n-->     Words after a comment.") == ["Words after a comment."]


def test_opener_in_a_description_hides_nothing_after_it() -> None:
    assert summary("Removes <!-- and <script> from pages of the web.") == (
        "Removes <!-- and <script> from pages of the web."
    )
    found = [p.text for p in passages("    Finds `<!--` in pages.\n\n    Reads the words after it.", None)]
    assert found == ["Finds <!-- in pages.", "Reads the words after it."]
    assert summary("    Parses <b>some words</b> of files.") == "Parses some words of files."
