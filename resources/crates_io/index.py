"""crates.io between two dumps: the RSS feeds say which crates changed, the sparse index has the facts.

Both are static files without a rate limit, asked for with the validators of the answer before. What is kept:

    <folder>/feeds.json       what the feeds named so far, and their validators
    <folder>/<hash>.json      the validators of the index files that a table was made of
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
from resources.common.files import write_atomically
from resources.common.http.client import HttpClient
from resources.common.http.responses import CachedResponse
from resources.crates_io.rss_feed import MOST_BYTES, FeedItem, RejectedItem, read_feed
from resources.crates_io.sparse_index import DEPENDENCIES, VERSIONS, RejectedLine, fetch_crates, read_index_file
from resources.registry.snapshot_archive import writing

NEW_CRATES, NEW_VERSIONS = FEEDS = ("/rss/crates.xml", "/rss/updates.xml")
# seconds; a run that is under way may still publish a table that belongs to a file of this age
STALE_AFTER = 86_400
RESPONSE_TTL_S = 30 * 86_400.0  # of cached index files


@dataclass(frozen=True)
class Seen:
    """A crate's index file as it was last sent: its tag, and when the look that brought it began (UTC)."""

    etag: str | None
    seen_at: datetime


@dataclass(frozen=True)
class Look:
    """What index files say, as read by `seen_at` (UTC): the rows of those that changed, and every file's state.

    Of the files `asked` for, `changed` were sent, and `gone` are not in the index.
    """

    seen_at: datetime
    seen: dict[str, Seen]
    versions: pa.Table
    dependencies: pa.Table
    rejected: list[RejectedLine]
    gone: list[str]
    asked: int
    changed: int


@dataclass(frozen=True)
class Feeds:
    """The crates that the feeds named, with a hash of all they said; `rejected` are items of this reading.

    From `complete_since` on (UTC) no publication is missing; null if no feed had an item yet.
    """

    names: list[str]
    sha256: str
    complete_since: datetime | None
    rejected: list[RejectedItem]


def now() -> datetime:
    """This instant (UTC, without a zone)."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class CratesIoIndex:
    """Asks the feeds at `static_url` and the index at `index_url`; keeps what it needs for the next time in `folder`,
    and the files themselves in `cache`.

    Every method raises BadInput, SourceUnreachable and CannotWrite.
    """

    folder: str
    contact: str
    static_url: str
    index_url: str
    cache: CacheSettings

    def feeds(self, since: datetime) -> Feeds:
        """What the feeds named of the time from `since` on, now and at earlier readings: each shows an hour or two."""
        client, path = HttpClient(self.contact), Path(self.folder) / "feeds.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        validators, rejected = kept.get("validators", {}), []
        items = {tuple(item) for item in kept.get("items", [])}
        published = {}
        for feed in FEEDS:
            published[feed], validators = self._read(client, feed, validators, rejected)
            items |= {(i.name, i.num, _instant(i)) for i in published[feed]}
        text = since.isoformat()
        kept = {
            "validators": validators,
            "items": sorted((i for i in items if i[2] >= text), key=str),
            **_followed(kept, [_instant(item) for item in published[NEW_VERSIONS]]),
        }
        self._write(path, kept)
        complete_since = kept["complete_since"] and datetime.fromisoformat(kept["complete_since"])
        names = sorted({name for name, _, _ in kept["items"]})
        return Feeds(names, sha256(json.dumps(kept["items"]).encode()).hexdigest(), complete_since, rejected)

    def _read(
        self, client: HttpClient, feed: str, validators: dict[str, list], rejected: list[RejectedItem]
    ) -> tuple[list[FeedItem], dict[str, list]]:
        """A feed's items, none if it is as before, and the validators with its new ones."""
        url = f"{self.static_url.rstrip('/')}{feed}"
        etag, modified = validators.get(feed, (None, None))
        answer = client.get(url, max_bytes=MOST_BYTES, etag=etag, last_modified=modified)
        if answer.status == 404:
            raise BadInput(f"{url} is not there: check CRATES_STATIC_URL")
        try:
            items = read_feed(answer.body, rejected) if answer.status == 200 else []
        except BadInput as error:
            raise BadInput(f"{url}: {error}") from error
        return items, {**validators, feed: [answer.etag, answer.last_modified]}

    def look(self, names: Iterable[str], seen: Mapping[str, Seen]) -> Look:
        """Reads the index files of crates; those that are as `seen` are not sent again."""
        # the server confirms each time that a cached body is current, so no other write can make it wrong
        responses = self.cache.open().namespace("http", kind=CachedResponse, ttl=RESPONSE_TTL_S, immutable=True)
        client, started = HttpClient(self.contact, cache=responses), now()
        # names that differ in case only have one file
        wanted = {name.lower(): name for name in names}.values()
        tags = {name: known.etag for name, known in seen.items() if known.etag}
        found: dict[str, Seen] = {}
        versions, dependencies, rejected, gone = [VERSIONS.empty_table()], [DEPENDENCIES.empty_table()], [], []
        for file in fetch_crates(client, self.index_url, wanted, tags):
            if file.status == 404:
                gone.append(file.name)
            elif file.status == 200:
                found[file.name] = Seen(file.etag, started)
                rows = read_index_file(file.body, file.name, rejected)
                versions.append(rows[0])
                dependencies.append(rows[1])
        tables = pa.concat_tables(versions), pa.concat_tables(dependencies)
        return Look(now(), {**seen, **found}, *tables, rejected, gone, len(wanted), len(found))

    def keep(self, base: str, seen: Mapping[str, Seen]) -> str:
        """Keeps what was seen since the snapshot with the hash `base`; returns the hash that finds it again."""
        record = {"base": base, "seen": {name: [s.etag, s.seen_at.isoformat()] for name, s in sorted(seen.items())}}
        origin = sha256(json.dumps(record).encode()).hexdigest()
        self._write(self._path(origin), record)
        return origin

    def kept(self, base: str, origin: str | None) -> dict[str, Seen] | None:
        """What was seen since the snapshot `base`, as kept under the hash `origin`; None if that is not here."""
        path = self._path(origin or "none")
        record = json.loads(path.read_text()) if path.exists() else {}
        if record.get("base") != base:
            return None
        return {name: Seen(etag, datetime.fromisoformat(at)) for name, (etag, at) in record["seen"].items()}

    def sweep(self, origin: str | None) -> None:
        """Removes old files but the one found by `origin`."""
        for path in Path(self.folder).glob("*.json"):
            is_used = path in (self._path(origin or "none"), Path(self.folder) / "feeds.json")
            if not is_used and path.stat().st_mtime < time.time() - STALE_AFTER:
                path.unlink(missing_ok=True)

    def _path(self, origin: str) -> Path:
        return Path(self.folder) / f"{origin[:16]}.json"

    def _write(self, path: Path, record: dict) -> None:
        with writing(path.parent):
            write_atomically(path, json.dumps(record).encode())


def _instant(item: FeedItem) -> str:
    return item.published_at.replace(tzinfo=None).isoformat()


def _followed(kept: dict, published: list[str]) -> dict[str, str | None]:
    """Until when publications were read, and since when without a gap: a feed that begins later leaves one."""
    until, since = kept.get("read_until"), kept.get("complete_since")
    if published and (until is None or min(published) > until):
        since = min(published)
    return {"read_until": max([*published, *([until] if until else [])], default=None), "complete_since": since}
