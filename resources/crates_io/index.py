"""crates.io between two dumps: RSS feeds list the crates that changed, and the sparse index has their data.

Both are static files without a rate limit, requested with the validators of the last response. State is stored in:

    <folder>/feeds.json       the items of the feeds so far, and the validators of the feeds
    <folder>/<hash>.json      the state of the index files from which a table was built
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from resources.cache import CacheSettings
from resources.common.errors import BadInput
from resources.common.files import write_atomically, writing
from resources.common.http.client import HttpClient
from resources.common.http.responses import CachedResponse
from resources.crates_io.index_format import DEPENDENCIES, VERSIONS, RejectedLine, parse_index_file
from resources.crates_io.rss_feed import MAX_BYTES, FeedItem, RejectedItem, parse_feed
from resources.crates_io.sparse_index import fetch_index_files

NEW_CRATES, NEW_VERSIONS = FEEDS = ("/rss/crates.xml", "/rss/updates.xml")
# seconds; a running job may still publish a table that belongs to a younger file
MAX_STATE_AGE_S = 86_400
RESPONSE_TTL_S = 30 * 86_400.0  # of cached index files


@dataclass(frozen=True)
class FileState:
    """A crate's index file when it was last sent: its ETag, and when the fetch began (UTC)."""

    etag: str | None
    read_at: datetime


@dataclass(frozen=True)
class IndexUpdate:
    """The rows of the index files that changed until `read_at` (UTC), and the state of all files.

    Of the `requested` files, `changed` were sent, and those of the `missing` crates do not exist.
    """

    read_at: datetime
    states: dict[str, FileState]
    versions: pa.Table
    dependencies: pa.Table
    rejected: list[RejectedLine]
    missing: list[str]
    requested: int
    changed: int


@dataclass(frozen=True)
class Feeds:
    """The crates in the feeds, with a hash of all items; `rejected` are the invalid items of this reading.

    No publication after `complete_since` (UTC) is missing; it is None if no feed had an item yet.
    """

    names: list[str]
    sha256: str
    complete_since: datetime | None
    rejected: list[RejectedItem]


def now() -> datetime:
    """The current time (UTC, without a time zone)."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class CratesIoIndex:
    """Reads the feeds at `static_url` and the index at `index_url`. State is stored in `folder`, files in `cache`."""

    folder: str
    contact: str
    static_url: str
    index_url: str
    cache: CacheSettings

    def feeds(self, since: datetime) -> Feeds:
        """The items since `since` (UTC) of this and earlier readings: a feed covers an hour or two only."""
        client, path = HttpClient(self.contact), Path(self.folder) / "feeds.json"
        state = json.loads(path.read_text()) if path.exists() else {}
        validators, rejected = state.get("validators", {}), []
        items = {tuple(item) for item in state.get("items", [])}
        published = {}
        for feed in FEEDS:
            published[feed], validators = self._read(client, feed, validators, rejected)
            items |= {(i.name, i.num, _iso_time(i)) for i in published[feed]}
        start = since.isoformat()
        state = {
            "validators": validators,
            "items": sorted((i for i in items if i[2] >= start), key=str),
            **_coverage(state, [_iso_time(item) for item in published[NEW_VERSIONS]]),
        }
        self._write(path, state)
        complete_since = state["complete_since"] and datetime.fromisoformat(state["complete_since"])
        names = sorted({name for name, _, _ in state["items"]})
        return Feeds(names, sha256(json.dumps(state["items"]).encode()).hexdigest(), complete_since, rejected)

    def _read(
        self, client: HttpClient, feed: str, validators: dict[str, list], rejected: list[RejectedItem]
    ) -> tuple[list[FeedItem], dict[str, list]]:
        """The items of a feed (none if it is unchanged), and the updated validators."""
        url = f"{self.static_url.rstrip('/')}{feed}"
        etag, modified = validators.get(feed, (None, None))
        response = client.get(url, max_bytes=MAX_BYTES, etag=etag, last_modified=modified)
        if response.status == 404:
            raise BadInput(f"{url} does not exist: check CRATES_STATIC_URL")
        try:
            items = parse_feed(response.body, rejected) if response.status == 200 else []
        except BadInput as error:
            raise BadInput(f"{url}: {error}") from error
        return items, {**validators, feed: [response.etag, response.last_modified]}

    def fetch(self, names: Iterable[str], states: Mapping[str, FileState]) -> IndexUpdate:
        """Fetches the index files of crates, except those that have not changed since `states`."""
        # the server confirms each time that a cached body is current, so no other write can make it wrong
        responses = self.cache.open().namespace("http", kind=CachedResponse, ttl=RESPONSE_TTL_S, immutable=True)
        client, started = HttpClient(self.contact, cache=responses), now()
        # names that differ only in case share a file
        requested = {name.lower(): name for name in names}.values()
        etags = {name: state.etag for name, state in states.items() if state.etag}
        changed: dict[str, FileState] = {}
        versions, dependencies, rejected, missing = [VERSIONS.empty_table()], [DEPENDENCIES.empty_table()], [], []
        for file in fetch_index_files(client, self.index_url, requested, etags):
            if file.status == 404:
                missing.append(file.name)
            elif file.status == 200:
                changed[file.name] = FileState(file.etag, started)
                rows = parse_index_file(file.body, file.name, rejected)
                versions.append(rows[0])
                dependencies.append(rows[1])
        tables = pa.concat_tables(versions), pa.concat_tables(dependencies)
        return IndexUpdate(now(), {**states, **changed}, *tables, rejected, missing, len(requested), len(changed))

    def save_states(self, base: str, states: Mapping[str, FileState]) -> str:
        """Stores the states of the files since the snapshot with the hash `base`; returns the hash of the record."""
        files = {name: [state.etag, state.read_at.isoformat()] for name, state in sorted(states.items())}
        record = {"base": base, "files": files}
        origin = sha256(json.dumps(record).encode()).hexdigest()
        self._write(self._path(origin), record)
        return origin

    def load_states(self, base: str, origin: str | None) -> dict[str, FileState] | None:
        """The states stored under the hash `origin`; None if missing, of another snapshot or in an old format."""
        path = self._path(origin or "none")
        record = json.loads(path.read_text()) if path.exists() else {}
        if record.get("base") != base or "files" not in record:
            return None
        return {name: FileState(etag, datetime.fromisoformat(at)) for name, (etag, at) in record["files"].items()}

    def remove_old_states(self, origin: str | None) -> None:
        """Removes old states, except the one with the hash `origin`."""
        for path in Path(self.folder).glob("*.json"):
            is_used = path in (self._path(origin or "none"), Path(self.folder) / "feeds.json")
            if not is_used and path.stat().st_mtime < time.time() - MAX_STATE_AGE_S:
                path.unlink(missing_ok=True)

    def _path(self, origin: str) -> Path:
        return Path(self.folder) / f"{origin[:16]}.json"

    def _write(self, path: Path, record: dict) -> None:
        with writing(path.parent):
            write_atomically(path, json.dumps(record).encode())


def _iso_time(item: FeedItem) -> str:
    return item.published_at.replace(tzinfo=None).isoformat()


def _coverage(state: dict, published: list[str]) -> dict[str, str | None]:
    """`read_until`, and `complete_since`: a feed whose oldest item is later than `read_until` leaves a gap."""
    until, since = state.get("read_until"), state.get("complete_since")
    if published and (until is None or min(published) > until):
        since = min(published)
    return {"read_until": max([*published, *([until] if until else [])], default=None), "complete_since": since}
