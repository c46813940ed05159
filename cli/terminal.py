"""Output for any terminal: without UTF-8, narrow, a pipe, with NO_COLOR, of text with control characters."""

import codecs
import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

MAX_WIDTH = 120  # longer lines are hard to read
# what replaces a character that the terminal's encoding lacks
ASCII = dict(zip("→…–—─│‘’“”×┌┬┐├┼┤└┴┘", ["->", "...", *"---|''", '"', '"', "x", *"+++++++++"], strict=True))
REPLACE = "crates.replace"


def prepare_streams() -> None:
    """Makes stdout and stderr replace what their encoding cannot write, instead of raising UnicodeEncodeError."""
    codecs.register_error(REPLACE, _replace)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # tests may have put another object there
        if reconfigure:
            reconfigure(errors=REPLACE)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(ASCII.get(c, "?") for c in error.object[error.start : error.end]), error.end


def console() -> "Console":
    """For progress bars and lines of progress."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def printable(text: str) -> str:
    """The text with control characters and lone surrogates as escapes: none of it can steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def width() -> int:
    """Columns to wrap text at: the terminal's or $COLUMNS, at most MAX_WIDTH."""
    return min(shutil.get_terminal_size((MAX_WIDTH, 24)).columns, MAX_WIDTH)


def is_styled() -> bool:
    """Whether stdout takes bold and colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def bold(text: str) -> str:
    """The text in bold where the terminal takes it."""
    return click.style(text, bold=True) if is_styled() else text


def print_line(text: str = "") -> None:
    """Prints one line as it is. (click.echo would write UTF-8 to a terminal that reads ASCII.)"""
    print(text)


def print_paragraph(text: str, label: str = "", hanging: int = 0, gap: int = 0) -> None:
    """Prints text from anywhere, wrapped, with a label in bold before it.

    Lines but the first are indented by `hanging`. The label is as wide, or has `gap` spaces after it.
    """
    name = printable(label)
    start = name + " " * gap if gap else f"{name:<{hanging}}"
    lines = textwrap.wrap(
        start + printable(text), width(), subsequent_indent=" " * hanging, break_on_hyphens=False
    ) or [start]
    print_line(bold(name) + lines[0][len(name) :])
    for line in lines[1:]:
        print_line(line)


def print_item(text: str) -> None:
    """Prints an item of a list."""
    print_paragraph(text, label="-", hanging=2)


def print_error(message: str) -> None:
    """Prints one line to stderr."""
    styled = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    label = click.style("error:", fg="red", bold=True) if styled else "error:"
    print(label, one_line(message), file=sys.stderr)


def one_line(text: str) -> str:
    """The text on one line, with control characters as escapes."""
    return printable(" ".join(text.split()))
