"""The file of a dump, on this machine or on a server, read in byte ranges."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from resources.common.errors import BadInput
from resources.common.http.client import HttpClient
from resources.common.http.responses import RemoteFile

CHUNK_BYTES = 1 << 20
Progress = Callable[[int], None]  # called with the number of bytes done


class DumpFile(ABC):
    """A file that is read in ranges. `size` is in bytes; `name` is for messages."""

    name: str
    size: int

    @abstractmethod
    def read(self, start: int, end: int) -> bytes:
        """The bytes [start, end)."""

    @abstractmethod
    def copy(self, start: int, end: int, path: Path, progress: Progress) -> None:
        """Copies the bytes [start, end) to `path`, which may have the first of them already."""


class LocalDumpFile(DumpFile):
    """A file on this machine. Raises BadInput if there is none at `path`."""

    def __init__(self, path: Path):
        if not path.is_file():
            raise BadInput(f"{path} is not a file: set CRATES_DUMP to a dump (zip or tar.gz) or to its https URL")
        self.path, self.name, self.size = path, str(path), path.stat().st_size

    def read(self, start: int, end: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def copy(self, start: int, end: int, path: Path, progress: Progress) -> None:
        with self.path.open("rb") as file, path.open("wb") as to:
            file.seek(start)
            while chunk := file.read(min(CHUNK_BYTES, end - start - to.tell())):
                to.write(chunk)
                progress(to.tell())


class RemoteDumpFile(DumpFile):
    """A file on a server that supports range requests. Raises BadInput and SourceUnreachable."""

    def __init__(self, client: HttpClient, url: str):
        self.client = client
        self.remote: RemoteFile = client.head(url)
        self.name, self.size = url, self.remote.bytes

    def read(self, start: int, end: int) -> bytes:
        return self.client.read_range(self.remote, start, end)

    def copy(self, start: int, end: int, path: Path, progress: Progress) -> None:
        self.client.download(self.remote, start, end, path, progress)


def is_url(location: str) -> bool:
    """Whether a location is an http(s) URL, not a path."""
    return location.startswith(("https://", "http://"))


def open_dump(location: str, client: HttpClient | None) -> DumpFile:
    """The file at a path or at an http(s) URL, which needs a client."""
    return RemoteDumpFile(client, location) if client and is_url(location) else LocalDumpFile(Path(location))
