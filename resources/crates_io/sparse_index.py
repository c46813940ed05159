"""Fetches files of crates.io's sparse index, several at a time."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from resources.common.errors import BadInput
from resources.common.http.client import HttpClient
from resources.crates_io.index_format import CRATE_NAME, MAX_FILE_BYTES

MAX_CONCURRENT_REQUESTS = 8  # the index has no rate limit; eight requests saturate a home connection


@dataclass(frozen=True)
class IndexFile:
    """The index file of a crate: `status` is 200 with a body, 304 (not modified) or 404 (the crate is missing)."""

    name: str
    status: int
    body: bytes
    etag: str | None


def index_path(name: str) -> str:
    """The path of a crate's file in the index. Raises BadInput if `name` is not a valid crate name."""
    if not CRATE_NAME.fullmatch(name):
        raise BadInput(
            f"{name[:80]!r} is not a valid crate name: expected a letter, then up to 63 letters, digits, - or _"
        )
    lower = name.lower()
    if len(lower) <= 2:
        return f"{len(lower)}/{lower}"
    if len(lower) == 3:
        return f"3/{lower[0]}/{lower}"
    return f"{lower[:2]}/{lower[2:4]}/{lower}"


def fetch_index_files(
    client: HttpClient, index_url: str, names: Iterable[str], etags: dict[str, str]
) -> Iterator[IndexFile]:
    """The index files of crates, in the order of `names`, each crate once.

    `etags` has the ETag of the last known file by crate: a file with the same ETag is not sent again. At most
    MAX_CONCURRENT_REQUESTS run at a time. Raises BadInput for an invalid crate name, and the errors of the client.
    """

    def fetch(name: str) -> IndexFile:
        url = f"{index_url.rstrip('/')}/{index_path(name)}"
        response = client.get(url, max_bytes=MAX_FILE_BYTES, etag=etags.get(name))
        return IndexFile(name, response.status, response.body, response.etag)

    pending: deque[Future[IndexFile]] = deque()
    with ThreadPoolExecutor(MAX_CONCURRENT_REQUESTS) as pool:
        for name in dict.fromkeys(names):
            if len(pending) == MAX_CONCURRENT_REQUESTS:
                yield pending.popleft().result()
            pending.append(pool.submit(fetch, name))
        while pending:
            yield pending.popleft().result()
