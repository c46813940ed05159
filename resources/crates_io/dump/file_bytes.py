"""The bytes of a dump, on this disk or on a server, read in ranges."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from resources.common.errors import BadInput
from resources.common.http.client import HttpClient
from resources.common.http.responses import RemoteFile

CHUNK = 1 << 20
Progress = Callable[[int], None]


class FileBytes(ABC):
    """A file that is read in ranges; `size` in bytes, `name` for people."""

    name: str
    size: int

    @abstractmethod
    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`."""

    @abstractmethod
    def copy(self, start: int, end: int, path: Path, progress: Progress) -> None:
        """Writes a range to `path`, going on behind what is there already."""


class LocalBytes(FileBytes):
    """A file on this disk."""

    def __init__(self, path: Path):
        if not path.is_file():
            raise BadInput(f"{path} is not a file: set CRATES_DUMP to a dump (zip or tar.gz) or its https address")
        self.path, self.name, self.size = path, str(path), path.stat().st_size

    def read(self, start: int, end: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def copy(self, start: int, end: int, path: Path, progress: Progress) -> None:
        with self.path.open("rb") as file, path.open("wb") as to:
            file.seek(start)
            while chunk := file.read(min(CHUNK, end - start - to.tell())):
                to.write(chunk)
                progress(to.tell())


class RemoteBytes(FileBytes):
    """A file on a server that gives ranges."""

    def __init__(self, client: HttpClient, url: str):
        self.client = client
        self.remote: RemoteFile = client.head(url)
        self.name, self.size = url, self.remote.bytes

    def read(self, start: int, end: int) -> bytes:
        return self.client.read_range(self.remote, start, end)

    def copy(self, start: int, end: int, path: Path, progress: Progress) -> None:
        self.client.download(self.remote, start, end, path, progress)


def is_address(where: str) -> bool:
    return where.startswith(("https://", "http://"))


def open_bytes(where: str, client: HttpClient | None) -> FileBytes:
    """The file at a path or an http(s) address."""
    return RemoteBytes(client, where) if client and is_address(where) else LocalBytes(Path(where))
