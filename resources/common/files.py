"""Atomic writes: a file is complete under its final name, or absent."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from resources.common.errors import CannotWrite
from resources.common.processes import has_ended, process_token


def fsync_and_rename(temporary: Path, final: Path) -> None:
    """Renames a file to its final name after its bytes are on the disk."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(final)


def temporary_path(final: Path) -> Path:
    """A hidden name beside `final` that carries the process token: see `remove_leftovers`."""
    return final.with_name(f".{final.name}.{process_token()}")


def write_atomically(final: Path, content: bytes) -> None:
    """Writes a file under a temporary name and renames it. Raises OSError; then `final` is unchanged."""
    temporary = temporary_path(final)
    try:
        temporary.write_bytes(content)
        fsync_and_rename(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Creates a folder for the atomic writes in the with block. Raises CannotWrite if one fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise CannotWrite(
            f"cannot write {folder}: {error.strerror or error}. Free space there, or set CRATES_DATA to a folder that "
            "can be written; earlier files are unchanged"
        ) from error


def remove_leftovers(folder: Path) -> None:
    """Removes the temporary files and folders of processes that have ended."""
    for path in folder.glob(".*@*"):
        try:
            age = timedelta(seconds=time.time() - path.stat().st_mtime)
        except FileNotFoundError:  # its process renamed it just now
            continue
        pid_and_start, _, host = path.name.rpartition("@")
        if has_ended(f"{pid_and_start.rpartition('.')[2]}@{host}", age):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
