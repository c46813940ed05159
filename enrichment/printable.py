"""Text that can be shown anywhere: one line, no control, bidi or zero-width characters, no chat markers."""

import re

# what opens and closes messages in the templates of chat models
_CHAT = re.compile(r"<[|｜][^<>]{0,40}[|｜]>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>")


def is_visible(char: str) -> bool:
    """Whether a character is seen, or is a plain space; a replacement character tells nothing."""
    return char.isprintable() and char != "\N{REPLACEMENT CHARACTER}"


def one_line(text: str) -> str:
    """The visible characters of a text, each run of white space as one space."""
    spaced = (" " if char.isspace() else char for char in text)
    return " ".join("".join(char for char in spaced if is_visible(char)).split())


def without_markers(text: str) -> str:
    """A text in which no model sees the end of a message; `one_line` of what is left."""
    text = one_line(text)
    while (less := _CHAT.sub(" ", text)) != text:  # what is left may form another
        text = less
    return " ".join(text.split())
