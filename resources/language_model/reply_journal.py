"""Replies of the language model as they come, so that a run that is killed has paid for nothing in vain.

One file of JSON lines per shard. A line that was cut or spoilt is passed over: its question is asked again.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from dagster import ConfigurableResource
from pydantic import TypeAdapter, ValidationError

from resources.common.errors import CannotWrite
from resources.language_model.language_model import Reply

_REPLY = TypeAdapter(Reply)


@dataclass(frozen=True)
class Journal:
    """The open journal of one shard: what it held, and where more is written."""

    held: list[Reply]
    file: TextIO
    path: Path

    def write(self, reply: Reply) -> None:
        """Keeps a reply, on the disk before this returns. Raises CannotWrite."""
        try:
            self.file.write(json.dumps(vars(reply)) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise CannotWrite(f"cannot write {self.path}: {error.strerror}. Free space there and run again") from error


class ReplyJournal(ConfigurableResource):
    """Journals under `folder`."""

    folder: str

    @contextmanager
    def open(self, shard: str, forget: set[tuple[str, str]]) -> Iterator[Journal]:
        """Opens the journal of a shard for one run; another waits. `forget` are keys and models of which the table has
        the reply. Raises CannotWrite."""
        path = Path(self.folder) / f"{shard}.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8", errors="replace")
        except OSError as error:
            raise CannotWrite(f"cannot write {path}: {error.strerror}. Set CRATES_DATA to another folder") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            held = [r for r in map(_reply_of, file) if r and r.is_whole and (r.key, r.model) not in forget]
            journal = Journal(held, file, path)
            if not held:
                file.truncate(0)
            elif not _ends_whole(path):
                file.write("\n")
            yield journal


def _reply_of(line: str) -> Reply | None:
    try:
        return _REPLY.validate_json(line, strict=True, extra="forbid")
    except ValidationError:
        return None


def _ends_whole(path: Path) -> bool:
    """Whether the last line was written to its end: a new one must not be joined to a torn one."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
