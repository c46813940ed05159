"""Reads or creates the key that signs entries."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from resources.common.errors import BadInput, CannotWrite

MIN_BYTES = 16


def read_secret(configured: str, folder: Path) -> bytes:
    """Returns the configured key; otherwise the random key in `folder`, which only its owner can read.

    Raises BadInput for a key that is too short or that other users can read, CannotWrite if the file cannot be used.
    """
    if configured:
        if len(configured.encode()) < MIN_BYTES:
            raise BadInput(f"CRATES_CACHE_KEY has under {MIN_BYTES} bytes: set a longer key, the same on all machines")
        return configured.encode()
    path = folder / "key"
    try:
        if not path.exists():
            _create(path)
        if path.stat().st_mode & 0o077:
            raise BadInput(f"other users may read {path}: delete it and the folder {folder}; a new key will be created")
        found = path.read_bytes()
    except OSError as error:
        raise CannotWrite(f"{path} cannot be used ({error}): check space and permissions of CRATES_DATA") from error
    if len(found) < MIN_BYTES:
        raise BadInput(
            f"{path} has {len(found)} bytes, expected {MIN_BYTES} or more: delete it; a new key will be created"
        )
    return found


def _create(path: Path) -> None:
    """Creates the file in one step, readable by its owner only. If two processes do so, the first wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent) as file, suppress(FileExistsError):
        file.write(os.urandom(32))
        file.flush()
        os.fsync(file.fileno())
        os.link(file.name, path)
