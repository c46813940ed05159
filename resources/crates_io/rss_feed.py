"""The RSS feeds of crates.io: `/rss/crates.xml` (new crates) and `/rss/updates.xml` (new versions), newest first.

They name what changed, the last 60 minutes and at least 50 crates or 100 versions; the facts are in the index. Read
without a tree and without DTD or entities: a feed with a DOCTYPE is refused.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from xml.parsers import expat

from resources.common.errors import BadInput
from resources.crates_io.sparse_index import NAME, NUM

MOST_BYTES = 4 * 1024 * 1024
MOST_ITEMS = 10_000
MOST_DEPTH = 16
MOST_OF_FIELD = 256  # characters: a longer name, version or date is none

_ITEM = ["rss", "channel", "item"]
# expat joins a namespace and a name by the separator it was given
_NAME, _NUM, _PUBLISHED = "https://crates.io/ name", "https://crates.io/ version", "pubDate"
_FIELDS = (_NAME, _NUM, _PUBLISHED)
_MEND = "check the feed's URL, and read it again"


@dataclass(frozen=True)
class FeedItem:
    """A crate, or a version of it if the feed is of versions (`num`), and when it was published (UTC)."""

    name: str
    num: str | None
    published_at: datetime


@dataclass(frozen=True)
class RejectedItem:
    """An item of a feed (from 1) that was not read, and why."""

    item: int
    reason: str


def read_feed(body: bytes, rejected: list[RejectedItem]) -> list[FeedItem]:
    """The items of a feed, in its order; those that break the format are added to `rejected`.

    Raises BadInput for what is no RSS feed: too long, not XML, HTML, or with a DOCTYPE.
    """
    if len(body) > MOST_BYTES:
        raise BadInput(f"the feed has {len(body)} bytes, expected at most {MOST_BYTES}: {_MEND}")
    fields = _Fields()
    # crates.io writes UTF-8: an encoding that the document declares does not count
    parser = expat.ParserCreate("UTF-8", " ")
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = fields.start
    parser.EndElementHandler = fields.end
    parser.CharacterDataHandler = fields.text
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise BadInput(f"the feed is not XML ({error}; it begins {body[:40]!r}): {_MEND}") from error
    items = []
    for number, item in enumerate(fields.items, 1):
        try:
            items.append(_feed_item(item))
        except ValueError as error:
            rejected.append(RejectedItem(number, str(error)))
    return items


class _Fields:
    """Gathers the fields of each item: their names, and every text given for each."""

    def __init__(self) -> None:
        self.items: list[dict[str, list[str]]] = []
        self._path: list[str] = []

    def start(self, tag: str, _: dict) -> None:
        self._path.append(tag)
        if self._path[0] != "rss":
            raise BadInput(f"the feed is a document of <{self._path[0][:40]}>, expected <rss>: {_MEND}")
        if len(self._path) > MOST_DEPTH or len(self.items) > MOST_ITEMS:
            raise BadInput(f"the feed has more than {MOST_ITEMS} items or {MOST_DEPTH} levels of tags: {_MEND}")
        if self._path == _ITEM:
            self.items.append({})
        elif self._is_field():
            self.items[-1].setdefault(tag, []).append("")

    def text(self, data: str) -> None:
        # text comes in pieces: joining a long one would take the square of its length
        if self._is_field() and len(self.items[-1][self._path[-1]][-1]) <= MOST_OF_FIELD:
            self.items[-1][self._path[-1]][-1] += data

    def end(self, _: str) -> None:
        self._path.pop()

    def _is_field(self) -> bool:
        return len(self._path) == len(_ITEM) + 1 and self._path[:-1] == _ITEM and self._path[-1] in _FIELDS


def _refuse_doctype(*_: object) -> None:
    raise BadInput(f"the feed has a DOCTYPE, expected plain RSS: it is a web page, or meant to do harm: {_MEND}")


def _feed_item(item: dict[str, list[str]]) -> FeedItem:
    """Raises ValueError, saying why, if a field is missing, doubled or of another form."""
    name, published = _one(item, _NAME), _one(item, _PUBLISHED)
    num = _one(item, _NUM) if _NUM in item else None
    if not NAME.fullmatch(name):
        raise ValueError(f"crates:name is {name[:80]!a}, expected the name of a crate")
    if num is not None and not NUM.fullmatch(num):
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
