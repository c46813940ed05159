"""The key that entries are sealed with."""

import os
from pathlib import Path

from resources.common.errors import BadInput, CannotWrite

LEAST_BYTES = 16


def secret_of(configured: str, folder: Path) -> bytes:
    """The configured key, else one kept in `folder`, made at random the first time, for its owner only (0600).

    Raises BadInput for a key that is too short or that others may read, CannotWrite.
    """
    if configured:
        if len(configured.encode()) < LEAST_BYTES:
            raise BadInput(
                f"CRATES_CACHE_KEY has under {LEAST_BYTES} bytes: set a longer one, the same on all machines"
            )
        return configured.encode()
    path = folder / "key"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            raise BadInput(f"others may read {path}: delete it and the folder {folder}, a new one is made")
        found = path.read_bytes()
    except OSError as error:
        raise CannotWrite(f"{path} cannot be used ({error}): see to space and permissions of CRATES_DATA") from error
    if len(found) < LEAST_BYTES:
        raise BadInput(f"{path} has {len(found)} bytes, expected {LEAST_BYTES} or more: delete it, a new one is made")
    return found


def _make(path: Path) -> None:
    """Whole or not at all; of two processes one wins."""
    temporary = path.with_name(f"key.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.urandom(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
