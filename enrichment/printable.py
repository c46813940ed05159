"""Text that is safe to print: one line without control, bidi and zero-width characters, and without chat markers."""

import re

# the start and end of a message in the templates of chat models
_CHAT = re.compile(r"<[|｜][^<>]{0,40}[|｜]>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>")


def is_visible(char: str) -> bool:
    """Whether a character is printable and not the replacement character."""
    return char.isprintable() and char != "\N{REPLACEMENT CHARACTER}"


def one_line(text: str) -> str:
    """The visible characters of a text, each run of white space as one space."""
    spaced = (" " if char.isspace() else char for char in text)
    return " ".join("".join(char for char in spaced if is_visible(char)).split())


def without_markers(text: str) -> str:
    """A text without markers that a model would take for the end of a message, on one line."""
    text = one_line(text)
    while (shorter := _CHAT.sub(" ", text)) != text:  # the rest may form another marker
        text = shorter
    return " ".join(text.split())
