"""What both readers of advisories give: one row per revision of an advisory, and what could not be read."""

import datetime
from dataclasses import dataclass

import pyarrow as pa

TEXTS = pa.list_(pa.string())

# Unique by (id, revised_at): what an advisory said at a time is its newest row with `revised_at` up to then.
# Times are UTC. `patched` and `unaffected` are Cargo requirements; a version that matches none of them is affected.
ADVISORIES = pa.schema(
    {
        "id": pa.string(),
        "package": pa.string(),
        "date": pa.date32(),  # disclosed; may be years before it was known
        "known_at": pa.timestamp("us"),  # its file was in the database
        "revised_at": pa.timestamp("us"),  # it said this; the first time is `known_at`, if it could be read then
        "informational": pa.string(),  # one of INFORMATIONAL; null for a vulnerability
        "cvss": pa.string(),
        "categories": TEXTS,
        "aliases": TEXTS,
        "patched": TEXTS,
        "unaffected": TEXTS,
        "withdrawn": pa.date32(),
        "functions": TEXTS,  # paths of what is affected, in order; null if none is named
        "license": pa.string(),  # of the text; null is the database's own, CC0-1.0
    }
)

INFORMATIONAL = ("notice", "unmaintained", "unsound")
OWN_LICENSE = "CC0-1.0"


@dataclass(frozen=True)
class Facts:
    """What one revision of an advisory says: the columns of ADVISORIES but its two times."""

    id: str
    package: str
    date: datetime.date
    informational: str | None
    cvss: str | None
    categories: list[str]
    aliases: list[str]
    patched: list[str] | None
    unaffected: list[str] | None
    withdrawn: datetime.date | None
    functions: list[str] | None
    license: str | None


@dataclass(frozen=True)
class Rejected:
    """A revision that was left out: its file, its commit (None outside git), the line at fault if known, and why."""

    file: str
    commit: str | None
    line: int | None
    reason: str


class Unreadable(ValueError):
    """A file is no advisory: why, and in which line, if known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
