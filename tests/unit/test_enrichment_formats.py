"""READMEs in AsciiDoc, Org and reStructuredText: prose is read, hidden text and markup are not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrichment.markup_format import markup_format
from enrichment.passages import Passage, read_texts
from testing.fuzzing import times

SENTENCE = "A parser for the logs of web servers."


def passages(readme: str) -> list[Passage]:
    return read_texts(None, readme).passages


def texts(readme: str) -> list[str]:
    return [passage.text for passage in passages(readme)]


ASCIIDOC_TITLE = "= Foo: a title of words\n"
HIDDEN_IN_ASCIIDOC = [
    ":description: hidden words here",
    ":description: hidden words here \\\nand more hidden words",
    ":!toc:\n:words-hidden: of an attribute",
    "// hidden words here",
    "////\nhidden words here\n\nand more hidden words\n////",
    "//////\nhidden words\n////\nmore hidden words\n//////",
    "[comment]\nhidden words here\nand more hidden words",
    "[comment]\n--\nhidden words here\n\nand more hidden words\n--",
    "ifdef::hidden-words[]\nhidden words here\nendif::[]",
    "ifndef::env-github[]\nhidden words here\n\nmore hidden words\nendif::env-github[]",
    "ifdef::hidden[]\nifdef::env-github[]\nhidden words here\nendif::[]\nendif::[]",
    ":!env-github:\n\nifdef::env-github[]\nhidden words here\nendif::[]\n\n:env-github:",
    "ifdef::env-github[:hidden: words of a line]",
    "ifeval::[{hidden} == words]\nhidden words here\nendif::[]",
    "image::hidden.png[hidden words of an image]",
    "image:https://a.b/hidden.svg[hidden words,link=https://hidden.words]",
    "https://a.b[image:https://a.b/hidden.svg[hidden words]]",
    "include::hidden.adoc[hidden words]",
    "[[hidden]]\n[.hidden]",
    ".A hidden title of words\n[source,rust]\n----\nlet hidden = words;\n----",
    "[source]\nlet hidden words here\nlet more hidden words",
    "....\nhidden words here\n....",
    "```rust\nhidden words here\n```",
    " hidden words of a literal",
    "|===\n| hidden words | more hidden words\n|===",
    "[WARNING]\n====\nHidden words of a hidden warning.\n====",
    "<1> hidden words of a callout",
    "(((hidden,words)))",
    "footnote:[Hidden words are here.]",
    "toc::[]",
]


@pytest.mark.parametrize("hidden", HIDDEN_IN_ASCIIDOC)
def test_hidden_text_of_asciidoc_is_not_read(hidden: str) -> None:
    readme = f"{ASCIIDOC_TITLE}\n{hidden}\n\n{SENTENCE}\n"
    assert texts(readme) == [SENTENCE]
    assert read_texts(None, readme).headings == ["Foo: a title of words"]
    assert texts(f"{ASCIIDOC_TITLE}{hidden}\n\n{SENTENCE}\n")[-1] == SENTENCE


@pytest.mark.parametrize(
    ("readme", "expected"),
    [
        (f"= Foo\nJane Doe <jane@a.b>\nv1.0, 2020-01-01\n:toc:\n// words\n\n{SENTENCE}", [SENTENCE]),
        (f"= Foo\nJane Doe of the Foo Team <jane@a.b>\n\n{SENTENCE}", [SENTENCE]),
        (f"= Foo\n{SENTENCE}", [SENTENCE]),
        (f":toc: left\n:source-highlighter: rouge\n\n{SENTENCE}", [SENTENCE]),
        (f"////\nhidden words\n////\n\n{SENTENCE}", [SENTENCE]),
        ("= Foo\n\nReads https://a.b[the *logs*^] of link:c[+servers+,role=x].", ["Reads the logs of servers."]),
        ("= Foo\n\nReads <<logs,the logs>> of xref:a#b[`servers`] {empty}here.", ["Reads the logs of servers here."]),
        (
            "= Foo\n\n====\nReads the logs.\n====\n\n____\nAnd writes them.\n____",
            ["Reads the logs.", "And writes them."],
        ),
        ("= Foo\n\n* Reads logs\n** Writes logs\n. Sorts logs", ["Reads logs", "Writes logs", "Sorts logs"]),
        ("= Foo\n\n* Reads logs\n+\nAnd writes them.", ["Reads logs", "And writes them."]),
        ("= Foo\n\nUsage of it\n-----------\n\nReads the logs.\n\n----\nlet words;\n----", ["Reads the logs."]),
        ("= Foo\n\nifdef::env-github[]\nReads the logs.\nendif::[]", ["Reads the logs."]),
        ("= Foo\n:here:\n\nifdef::here,there[]\nReads the logs.\nendif::[]", ["Reads the logs."]),
        ("= Foo\n\nReads <!-- in pages.\n\nAnd writes them.", ["Reads <!-- in pages.", "And writes them."]),
        ("= Foo\n\n== License\n\nWords of law.\n\n== Use cases ==\n\nReads the logs.", ["Reads the logs."]),
        ("= Foo\n\nReads the logs.\n\n////\nhidden words\n\nto the end", ["Reads the logs."]),
        ("= Foo\n\n----\n\nReads the logs.", ["Reads the logs."]),
    ],
)
def test_prose_of_asciidoc_is_read(readme: str, expected: list[str]) -> None:
    assert texts(readme) == expected


ORG_TITLE = "#+TITLE: A title of words\n"
HIDDEN_IN_ORG = [
    "#+DESCRIPTION: hidden words here",
    "#+html: <img alt='hidden words'>",
    "# hidden words here",
    "  # hidden words here",
    "#+begin_comment\nhidden words here\n\nand more hidden words\n#+end_comment",
    "#+BEGIN_SRC rust\nlet hidden = words;\n#+END_SRC",
    "#+begin_example\nhidden words here\n#+end_example",
    "#+begin_export html\n<p>hidden words here</p>\n#+end_export",
    ":PROPERTIES:\n:CUSTOM_ID: hidden words here\n:END:",
    ":NOTES:\nhidden words here\n:end:",
    ": hidden words of a line",
    "| hidden words | more hidden words |",
    "[[https://a.b][https://a.b/hidden-words.svg]]",
    "[[file:hidden-words.png]]",
    "[fn:1] Hidden words of a note.",
    "* COMMENT Hidden\nHidden words here.\n** Deeper\nMore hidden words.\n* Shown",
    "* Hidden :noexport:\nHidden words here.\n* Shown",
    "@@html:<b>hidden words</b>@@",
    "SCHEDULED: <2020-01-01 Wed> hidden words",
]


@pytest.mark.parametrize("hidden", HIDDEN_IN_ORG)
def test_hidden_text_of_org_is_not_read(hidden: str) -> None:
    readme = f"{ORG_TITLE}\n{hidden}\n\n{SENTENCE}\n"
    assert texts(readme) == [SENTENCE]
    assert "hidden" not in " ".join(read_texts(None, readme).headings).lower()
    assert texts(f"{ORG_TITLE}{hidden}\n{SENTENCE}\n") == [SENTENCE]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("* Foo\n** Deeper\nReads the logs.", ["Reads the logs."]),
        ("* Foo\n      Reads the logs.\n\n      And writes them.", ["Reads the logs.", "And writes them."]),
        ("Reads [[https://a.b][the *logs*]] of =servers= and ~files~.[fn:1]", ["Reads the logs of servers and files."]),
        ("Reads [[https://a.b][the logs\n  of servers]].", ["Reads the logs of servers."]),
        ("Reads ~(a/b c)~ and =x+y= of files.", ["Reads (a/b c) and x+y of files."]),
        ("Reads /all/ of +some+ a/b/c paths.", ["Reads all of some a/b/c paths."]),
        ("- Reads logs\n  - Writes logs\n1) Sorts logs", ["Reads logs", "Writes logs", "Sorts logs"]),
        ("#+begin_quote\nReads the logs.\n#+end_quote", ["Reads the logs."]),
        ("#+begin_src\nReads the logs.", ["Reads the logs."]),
        (":LOGBOOK:\nReads the logs.\n* Foo\n:PROPERTIES:\n:END:", ["Reads the logs."]),
        ("* COMMENT No\nwords here\n* TODO [#A] Foo :tag:\nReads the logs.", ["Reads the logs."]),
        ("* License\nWords of law.\n* Foo\nReads the logs.", ["Reads the logs."]),
    ],
)
def test_prose_of_org_is_read(body: str, expected: list[str]) -> None:
    assert texts(ORG_TITLE + body) == expected


@settings(max_examples=times(100), deadline=None)
@given(st.data(), st.sampled_from([(ASCIIDOC_TITLE, HIDDEN_IN_ASCIIDOC), (ORG_TITLE, HIDDEN_IN_ORG)]))
def test_hidden_text_is_not_read_in_any_order(data: st.DataObject, title_and_hidden: tuple[str, list[str]]) -> None:
    title, hidden = title_and_hidden
    parts = data.draw(st.lists(st.sampled_from([*hidden, SENTENCE]), max_size=8))
    assert texts("\n\n".join([title, *parts])) == [SENTENCE] * parts.count(SENTENCE)


def test_headings_of_org_and_asciidoc_are_the_sections_of_their_passages() -> None:
    org = passages(f"{ORG_TITLE}* TODO [#A] Foo [[https://a.b][bar]]   :tag:\n** Use cases\n- Reading logs")
    asciidoc = passages("= Foo\n\n== Foo\n\n=== Use cases ===\n\n* Reading logs")
    assert [(p.text, p.section, p.is_item) for p in (*org, *asciidoc)] == [("Reading logs", "Use cases", True)] * 2


@pytest.mark.parametrize(
    "hidden",
    [
        ".. hidden words of a comment",
        "..\n   hidden words here\n\n   and more hidden words",
        ".. image:: a.svg\n   :alt: hidden words here",
        ".. |hidden| image:: words.svg",
        ".. _hidden words: https://a.b",
        ":Hidden field: hidden words here",
        "Code::\n\n   hidden words here",
    ],
)
def test_hidden_text_of_restructuredtext_is_not_read(hidden: str) -> None:
    assert SENTENCE in texts(f".. contents::\n\nFoo\n***\n\n{hidden}\n\n{SENTENCE}\n")
    assert "hidden" not in " ".join(texts(f".. contents::\n\nFoo\n***\n\n{hidden}\n\n{SENTENCE}\n"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Foo\n\n:rocket: Fast words\n:tada: More words", "markdown"),
        ("# Foo\n\n* item\n* item\n\n** Bold ** words", "markdown"),
        ("# Foo\n\n```sh\n== output ==\n#+begin_src\n```\n", "markdown"),
        ("Foo\n===\n\nWords.\n\nBar\n---\n\n// not a comment", "markdown"),
        ("# Foo\n\nAdd a `[[bin]]` section, see [the book](https://a.b).", "markdown"),
        ("# Foo\n\n## Bar\n\n== output of words\n", "markdown"),
        ("Words only.", "markdown"),
        ("", "markdown"),
        ("= Foo\n\n----\n# comment\n## comment\n### comment\n----\n\n== Bar", "asciidoc"),
        ("image::a.png[]\n\nWords.", "asciidoc"),
        ("# comment\n# comment\n# comment\n#+TITLE: Foo\n", "org"),
        ("* Foo\n:PROPERTIES:\n:END:\n** Bar", "org"),
        ("* Foo - reads logs\n\n** Usage\n\n** License\n\nWords.", "org"),
        (".. image:: a\n", "restructuredtext"),
    ],
)
def test_format_is_detected(text: str, expected: str) -> None:
    assert markup_format(text) == expected


PIECES = [
    *("= Foo\n", "== Bar\n", ":toc:\n", "// words\n", "////\n", "----\n", "ifdef::a[]\n", "endif::[]\n", "[comment]\n"),
    *("image:a[b]", "https://a[b]", "link:a[b^]", "<<a,b>>", "footnote:[a]", "|===\n", "--\n", "+\n", "* a\n", ".a\n"),
    *(
        "#+TITLE: a\n",
        "#+begin_src\n",
        "#+end_src\n",
        ":a:\n",
        ":END:\n",
        "* TODO a :b:\n",
        "** COMMENT a\n",
        "[[a][b]]",
    ),
    *(
        "=a=",
        "~a~",
        "/a/",
        "# a\n",
        " ",
        "    ",
        "\n",
        "\n\n",
        "Some words. ",
        "A parser for logs. ",
        "<!--",
        "-->",
        "`",
    ),
]


@settings(max_examples=times(200), deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_positions_are_exact_in_any_mixture_of_formats(readme: str) -> None:
    for title in ("", ASCIIDOC_TITLE, ORG_TITLE):
        source = title + readme
        for passage in passages(source):
            assert source[passage.start] == passage.text[0]
            assert source[passage.end - 1] == passage.text[-1]
            assert passage.text.isprintable()
