"""Writes docs/images/show.svg, the picture in the README: python -m tools.answer_picture [crate]

It runs `crates show` in a terminal of its own, on the tables in $CRATES_DATA.
"""

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from resources.common.settings import PROJECT

COLUMNS = 104
PICTURE = PROJECT / "docs" / "images" / "show.svg"
# the picture loads no font from another host
SVG_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def terminal_output(command: list[str]) -> str:
    """What a command prints to a terminal of COLUMNS columns, with its escape sequences."""
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    environment |= {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        output = b"".join(_chunks(terminal)).decode().replace("\r\n", "\n")
        if process.wait() != 0:
            sys.exit(output)
    return output


def _chunks(terminal: io.FileIO) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # Linux raises EIO when the process has closed the terminal
        while chunk := terminal.read(4096):
            yield chunk


def picture(output: str, title: str) -> str:
    """Terminal output as SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(output.rstrip()), highlight=False)
    return console.export_svg(title=title, code_format=SVG_FORMAT, unique_id="show")


def main() -> None:
    crate = sys.argv[1] if len(sys.argv) > 1 else "tokio-core"
    crates = str(Path(sys.executable).with_name("crates"))
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(terminal_output([crates, "show", crate]), f"crates show {crate}"))


if __name__ == "__main__":
    main()
