"""The parser of crates.io's RSS feeds: `/rss/crates.xml` (new crates) and `/rss/updates.xml` (new versions).

A feed lists the names of the last 60 minutes, and at least 50 crates or 100 versions; their data is in the index. The
parser builds no tree and rejects a feed with a DOCTYPE, which excludes DTDs and entities.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from xml.parsers import expat

from resources.common.errors import BadInput
from resources.crates_io.index_format import CRATE_NAME, VERSION_NUM

MAX_BYTES = 4 * 1024 * 1024
MAX_ITEMS = 10_000
MAX_DEPTH = 16
MAX_FIELD_CHARACTERS = 256  # a longer name, version or date is invalid

_ITEM = ["rss", "channel", "item"]
# expat joins namespace and name with the given separator
_NAME, _NUM, _PUBLISHED = "https://crates.io/ name", "https://crates.io/ version", "pubDate"
_FIELDS = (_NAME, _NUM, _PUBLISHED)
_RECOVERY_HINT = "check CRATES_STATIC_URL, then read the feed again"


@dataclass(frozen=True)
class FeedItem:
    """A new crate, or a new version of it (`num`), and its publication time (UTC)."""

    name: str
    num: str | None
    published_at: datetime


@dataclass(frozen=True)
class RejectedItem:
    """The number of an invalid item (from 1) and the reason."""

    item: int
    reason: str


def parse_feed(body: bytes, rejected: list[RejectedItem]) -> list[FeedItem]:
    """The items of a feed, in its order; invalid ones are appended to `rejected`.

    Raises BadInput for a body that is too long, not XML, not RSS, or has a DOCTYPE.
    """
    if len(body) > MAX_BYTES:
        raise BadInput(f"the feed has {len(body)} bytes, expected at most {MAX_BYTES}: {_RECOVERY_HINT}")
    fields = _Fields()
    # crates.io writes UTF-8, so a declared encoding is ignored
    parser = expat.ParserCreate("UTF-8", " ")
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = fields.start
    parser.EndElementHandler = fields.end
    parser.CharacterDataHandler = fields.text
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise BadInput(f"the feed is not XML ({error}; it begins {body[:40]!r}): {_RECOVERY_HINT}") from error
    items = []
    for number, item in enumerate(fields.items, 1):
        try:
            items.append(_feed_item(item))
        except ValueError as error:
            rejected.append(RejectedItem(number, str(error)))
    return items


class _Fields:
    """Collects the fields of each item: all texts by field name."""

    def __init__(self) -> None:
        self.items: list[dict[str, list[str]]] = []
        self._path: list[str] = []

    def start(self, tag: str, _: dict) -> None:
        self._path.append(tag)
        if self._path[0] != "rss":
            raise BadInput(f"the feed is a document of <{self._path[0][:40]}>, expected <rss>: {_RECOVERY_HINT}")
        if len(self._path) > MAX_DEPTH or len(self.items) > MAX_ITEMS:
            raise BadInput(f"the feed has more than {MAX_ITEMS} items or {MAX_DEPTH} levels of tags: {_RECOVERY_HINT}")
        if self._path == _ITEM:
            self.items.append({})
        elif self._is_field():
            self.items[-1].setdefault(tag, []).append("")

    def text(self, data: str) -> None:
        # expat delivers text in pieces: joining those of a long text would take quadratic time
        if self._is_field() and len(self.items[-1][self._path[-1]][-1]) <= MAX_FIELD_CHARACTERS:
            self.items[-1][self._path[-1]][-1] += data

    def end(self, _: str) -> None:
        self._path.pop()

    def _is_field(self) -> bool:
        return len(self._path) == len(_ITEM) + 1 and self._path[:-1] == _ITEM and self._path[-1] in _FIELDS


def _refuse_doctype(*_: object) -> None:
    raise BadInput(f"the feed has a DOCTYPE, expected RSS: {_RECOVERY_HINT}")


def _feed_item(item: dict[str, list[str]]) -> FeedItem:
    """Raises ValueError if a field is missing, duplicated or invalid."""
    name, published = _one(item, _NAME), _one(item, _PUBLISHED)
    num = _one(item, _NUM) if _NUM in item else None
    if not CRATE_NAME.fullmatch(name):
        raise ValueError(f"crates:name is {name[:80]!a}, expected a crate name")
    if num is not None and not VERSION_NUM.fullmatch(num):
        raise ValueError(f"crates:version is {num[:80]!a}, expected a version")
    try:
        published_at = datetime.strptime(published, "%a, %d %b %Y %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"pubDate is {published[:80]!a}, expected a time like Sat, 22 Jun 2024 15:57:19 +0000"
        ) from error
    return FeedItem(name, num, published_at)


def _one(item: dict[str, list[str]], field: str) -> str:
    values = item.get(field, [])
    if len(values) != 1:
        raise ValueError(f"the item has {len(values)} of {field.replace('https://crates.io/ ', 'crates:')}, expected 1")
    return values[0].strip()
