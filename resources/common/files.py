"""How files come to be on the disk: whole, under their final name, or not at all."""

import os
from pathlib import Path


def settle(temporary: Path, final: Path) -> None:
    """Renames a file to its final name once its bytes are on the disk."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(final)
