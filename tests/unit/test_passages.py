"""The passages of a description and a README: prose with its exact positions, and nothing else."""

import pytest
from hypothesis import given, settings

from enrichment.masking import mask_readme
from enrichment.passages import MAX_PASSAGES, MAX_README_CHARACTERS, Passage, read_texts
from testing.fuzzing import times
from testing.hostile_texts import SOUP


def passages(description: str | None, readme: str | None) -> list[Passage]:
    return read_texts(description, readme).passages


def texts(readme: str) -> list[str]:
    return [passage.text for passage in passages(None, readme)]


@pytest.mark.parametrize(
    "readme",
    [
        "# A heading of words",
        "A heading of words\n===",
        "<h1 align=center>A heading of words</h1>",
        "[![Build status words](a.svg)](https://a.b) ![more words](b.png)",
        "[Documentation here](https://a) | [Crates here](https://b)",
        "- [Only a link](https://a)",
        "```rust\nlet words = here;\n```",
        "````md\n```\ninner words here\n```\nmore words here\n````",
        "~~~\nwords in here\n~~~",
        "text:\n\n    indented words here",
        "<pre>\nwords in here\n\nand after a gap\n</pre>",
        "<!-- words in here\n\nand here -->",
        "<script>words in here</script><style>more words in here</style>",
        "| words here | more words |\n|---|---|\n| cell words | more of them |",
        "<table><tr><td>words in a cell</td></tr></table>",
        "[label words]: https://a.b 'title words'",
        "## License\n\nLicensed under words of law.",
        "## Installation\n\nSome words on it.\n\n### Deeper\n\nMore words on it.",
        "Add this to your `Cargo.toml` now.",
        "> [!NOTE]\n> Words of a note.",
        ".. image:: a.svg\n   :alt: words in here",
        "See https://docs.rs/a for more words.",
        '{"summary": "words of a reply"}',
    ],
)
def test_only_prose_is_read(readme: str) -> None:
    assert texts(readme) == []
    assert texts(f"{readme}\n\n# Next\n\nReal prose follows it.") == ["Real prose follows it."]


@pytest.mark.parametrize(
    ("readme", "expected"),
    [
        ("A **fast**, _small_ [parser](https://a.b/c_(d)) for `foo_bar`.", "A fast, small parser for foo_bar."),
        ("Reads &amp; writes\n`Vec<T>` values.", "Reads & writes Vec<T> values."),
        ("Turns snake_case into 2 * 3 words.", "Turns snake_case into 2 * 3 words."),
        ("Uses [`Foo`] and [bar][b] well.[^1]\n\n[b]: https://a", "Uses Foo and bar well."),
        ("Hides \u202eno bidi\u202c or \u200bzero width\x07.", "Hides no bidi or zero width."),
        ("<p align='center'>\n    A tagline of <b>words</b>\n</p>", "A tagline of words"),
        ("Servers, e.g. for logs, are read.", "Servers, e.g. for logs, are read."),
    ],
)
def test_inline_markup_is_removed(readme: str, expected: str) -> None:
    assert texts(readme) == [expected]


def test_items_have_their_section() -> None:
    found = passages(None, "# Foo\n\n## Use cases\n\n* Parsing logs\n  of servers\n* Checking files. Quickly too.\n")
    assert [(p.text, p.section, p.is_item) for p in found] == [
        ("Parsing logs of servers", "Use cases", True),
        ("Checking files.", "Use cases", True),
        ("Quickly too.", "Use cases", True),
    ]


def test_restructuredtext_titles_are_headings_and_directives_are_left_out() -> None:
    readme = ".. image:: a\n   :target: b\n\nFoo\n~~~\n\nReads ``foo`` files.\n\n.. code:: rust\n\n   let some words;\n"
    assert texts(readme) == ["Reads foo files."]
    assert read_texts(None, readme).headings == ["Foo"]


def test_description_comes_first_and_may_be_indented() -> None:
    found = passages("\n    Parses `foo`\n    files.\n", "Reads foo files too.")
    assert [(p.field, p.text) for p in found] == [
        ("description", "Parses foo files."),
        ("readme", "Reads foo files too."),
    ]


def test_only_the_beginning_of_a_readme_is_read() -> None:
    assert len(passages(None, "Some words here. " * 5_000)) == MAX_PASSAGES
    assert "late" not in " ".join(texts("x" * MAX_README_CHARACTERS + "\n\nSome late words."))


@settings(max_examples=times(200), deadline=None)
@given(SOUP, SOUP)
def test_positions_are_exact_in_any_text(description: str, readme: str) -> None:
    assert len(mask_readme(readme)) == len(readme)
    for passage in passages(description, readme):
        source = description if passage.field == "description" else readme
        assert 0 <= passage.start < passage.end <= len(source)
        assert passage.text and passage.text == passage.text.strip() and passage.text.isprintable()
        # the text begins and ends with the characters at its positions, unless an entity stands for one
        if "&" not in source:
            assert source[passage.start] == passage.text[0]
            assert source[passage.end - 1] == passage.text[-1]


@pytest.mark.parametrize("unit", ["a", "[", "](", "`", "*", "**a ", "<", "<a ", "<!--", "> ", "- ", "(", "&amp;", "|a"])
def test_line_of_a_million_characters_is_cut(unit: str) -> None:
    line = unit * (1_000_000 // len(unit))
    assert all(p.end <= MAX_README_CHARACTERS for p in passages(line, line))
