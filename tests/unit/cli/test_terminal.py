"""Text from anywhere is printed without characters that steer a terminal."""

import pytest

from cli.terminal import one_line, printable


@pytest.mark.parametrize(
    ("character", "escape"),
    [
        ("\x07", r"\x07"),
        ("\x1b", r"\x1b"),
        ("\n", r"\n"),
        ("\x7f", r"\x7f"),  # delete
        ("\x9b", r"\x9b"),  # starts a control sequence in one character
        ("\u202e", r"\u202e"),  # reverses the order of the characters after it
        ("\u200b", r"\u200b"),  # has no width
        ("\ud800", r"\ud800"),  # a lone surrogate, which UTF-8 cannot encode
    ],
    ids=ascii,
)
def test_character_that_is_not_printable_is_escaped(character: str, escape: str) -> None:
    assert printable(f"a{character}b") == f"a{escape}b"


def test_printable_text_is_unchanged() -> None:
    assert printable("→ ünïcode 🦀 [bold]") == "→ ünïcode 🦀 [bold]"


def test_one_line_joins_lines_and_escapes_the_rest() -> None:
    assert one_line("no\n\tcrate \x9b2J") == r"no crate \x9b2J"
