"""Replies of the language model, written as they arrive, so that a killed run does not lose them.

One file of JSON lines for each shard. A line that is cut or invalid is ignored: its question is asked again.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pydantic import TypeAdapter, ValidationError

from resources.common.errors import CannotWrite
from resources.language_model.questions import Reply

_REPLY = TypeAdapter(Reply)


@dataclass(frozen=True)
class Journal:
    """The open journal of one shard: the replies that it held, and the file that new ones are written to."""

    replies: list[Reply]
    file: TextIO
    path: Path

    def write(self, reply: Reply) -> None:
        """Writes a reply; it is on the disk when this returns. Raises CannotWrite."""
        try:
            self.file.write(json.dumps(vars(reply)) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise CannotWrite(f"cannot write {self.path}: {error.strerror}. Free space there and run again") from error


@dataclass(frozen=True)
class ReplyJournal:
    """Journals in `folder`."""

    folder: str

    @contextmanager
    def open(self, shard: str, published: set[tuple[str, str]]) -> Iterator[Journal]:
        """The journal of a shard, locked: another run waits. Raises CannotWrite.

        `published` holds keys and models of replies that are in the table. They are left out of the journal, and the
        file is emptied if no other is in it.
        """
        path = Path(self.folder) / f"{shard}.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8", errors="replace")
        except OSError as error:
            raise CannotWrite(f"cannot write {path}: {error.strerror}. Set CRATES_DATA to another folder") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            read = [reply for reply in map(_parsed, file) if reply and reply.is_final]
            replies = [reply for reply in read if (reply.key, reply.model) not in published]
            if not replies:
                file.truncate(0)
            elif not _ends_with_newline(path):
                file.write("\n")
            yield Journal(replies, file, path)


def _parsed(line: str) -> Reply | None:
    try:
        return _REPLY.validate_json(line, strict=True, extra="forbid")
    except ValidationError:
        return None


def _ends_with_newline(path: Path) -> bool:
    """If not, a killed run cut the last line, and the next reply must not be joined to it."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
