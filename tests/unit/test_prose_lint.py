"""The prose lint finds the words that the glossary replaces, and nothing else."""

import pytest

from tools.prose_lint import findings, is_checked, main


@pytest.mark.parametrize(
    "text",
    [
        "MOST_BYTES = 10",
        "_LONGEST_LINE = 10",
        "def read(most_bytes: int)",
        "    need(path.exists())",
        "the table is written anew",
        "'x y' is no crate name",
        "300 crates by one owner are no 300 observations",
        "the outcome that was foretold",
        "a model taught by labels",
        "the caller is told",
        "skipped, and said so",
        "what is said of a crate",
        "mend the input",
        "nobody reads it",
        "the row stands in the file",
        "the header lies outside the archive",
        "the line is passed over",
        "three files, of which one is empty",
        "crates for which it came true",
        "it hangs on the locale",
    ],
)
def test_replaced_words_are_found(text: str) -> None:
    assert list(findings(text))


@pytest.mark.parametrize(
    "text",
    [
        "MAX_BYTES = 10",
        "the most built-on crates: most_built_on",
        "self.need(path)",
        "if there is no such crate, it is no longer listed",
        "PR-AUC stands for the area under the curve",
        "the registry as it stood on 2020-07-20",
        "the standard library",
        "two files, one of which is empty",
        "fixable_by = 'nobody'",
        "one pass over all shards",
        "whether predictions come true",
        "recommended amendments",
        "the key by which rows are ordered",
    ],
)
def test_plain_words_are_not_found(text: str) -> None:
    assert list(findings(text)) == []


def test_finding_has_line_words_and_replacement() -> None:
    assert list(findings("first\nwritten anew\n")) == [(2, "anew", "again, or re-…")]


def test_only_text_of_ours_is_checked() -> None:
    assert is_checked("README.md")
    assert is_checked("Makefile")
    assert not is_checked("LICENSE")
    assert not is_checked("requirements.lock")
    assert not is_checked("docs/glossary.md")


def test_exit_code_is_1_on_a_finding_and_0_without(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr("tools.prose_lint.findings", lambda text: [(3, "anew", "again")])
    assert main(["README.md"]) == 1
    assert capsys.readouterr().out == "README.md:3: 'anew': write again\n"
    monkeypatch.setattr("tools.prose_lint.findings", lambda text: [])
    assert main(["README.md"]) == 0
