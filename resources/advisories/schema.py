"""The table of advisory revisions, and the files that cannot be parsed."""

import datetime
from dataclasses import dataclass

import pyarrow as pa

TEXTS = pa.list_(pa.string())

# Unique by (id, revised_at): the state of an advisory at an instant is its newest row with `revised_at` up to then.
# Times are UTC. `patched` and `unaffected` are Cargo requirements; a version that matches none of them is affected.
ADVISORIES = pa.schema(
    {
        "id": pa.string(),
        "package": pa.string(),
        "date": pa.date32(),  # of disclosure; may be years before `known_at`
        "known_at": pa.timestamp("us"),  # its file was committed to the database
        "revised_at": pa.timestamp("us"),  # this revision was committed; the first one, if valid, at `known_at`
        "informational": pa.string(),  # one of INFORMATIONAL; null for a vulnerability
        "cvss": pa.string(),
        "categories": TEXTS,
        "aliases": TEXTS,
        "patched": TEXTS,
        "unaffected": TEXTS,
        "withdrawn": pa.date32(),
        "functions": TEXTS,  # paths of the affected functions, sorted; null if none is given
        "license": pa.string(),  # of the text; null for the database's own, CC0-1.0
    }
)

INFORMATIONAL = ("notice", "unmaintained", "unsound")
OWN_LICENSE = "CC0-1.0"


@dataclass(frozen=True)
class Advisory:
    """One revision of an advisory: the columns of ADVISORIES except its two times."""

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
    """A revision that cannot be parsed: its file, commit (None outside git), line (if known) and reason."""

    file: str
    commit: str | None
    line: int | None
    reason: str


class InvalidAdvisory(ValueError):
    """A file is not a valid advisory: the reason, and the line if known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
