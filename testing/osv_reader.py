"""RustSec's advisories from the OSV database: the newest revision of each, with ranges instead of requirements.

`published` is noon of the day of disclosure, not the time at which the database had the advisory. So `known_at` is too
early, and these rows are only for comparison with those of `git_reader`.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from resources.advisories import fields
from resources.advisories.schema import ADVISORIES, InvalidAdvisory, Rejected
from testing.osv_archive import open_members

# OSV has no requirements: `patched` and `unaffected` are null, and each event is one of its two fields
EVENT = pa.struct({"introduced": pa.string(), "fixed": pa.string()})
OSV_ADVISORIES = ADVISORIES.append(pa.field("events", pa.list_(EVENT)))

FILE = re.compile(rf"(?P<id>{fields.ID.pattern})\.json")
VERSION = re.compile(r"[0-9]{1,19}\.[0-9]{1,19}\.[0-9]{1,19}(-[0-9A-Za-z.-]{1,100})?(\+[0-9A-Za-z.-]{1,100})?")
EVERY_VERSION = "0"


class OsvAdvisories(NamedTuple):
    """The advisories (OSV_ADVISORIES, one row per id), and how many files of other databases were skipped."""

    table: pa.Table
    skipped: int


def read_osv(source: Path | bytes, rejected: list[Rejected]) -> OsvAdvisories:
    """Reads `all.zip` (its path or its bytes), or a folder of `RUSTSEC-*.json`.

    Appends invalid documents to `rejected`. Raises BadInput if the zip is corrupt or malicious.
    """
    rows, skipped = [], 0
    with open_members(source) as members:
        for name, read in sorted(members.items()):
            found = FILE.fullmatch(name)
            if not found:
                skipped += 1
                continue
            try:
                rows.append(_row(found["id"], _load(read())))
            except InvalidAdvisory as error:
                rejected.append(Rejected(name, None, error.line, error.reason))
    return OsvAdvisories(pa.Table.from_pylist(rows, schema=OSV_ADVISORIES), skipped)


def _load(content: bytes) -> fields.Table:
    try:
        document = json.loads(content.decode())
    except UnicodeDecodeError as error:
        raise InvalidAdvisory(f"not UTF-8: {error}") from error
    except json.JSONDecodeError as error:
        raise InvalidAdvisory(f"invalid JSON: {error.msg}", error.lineno) from error
    except ValueError as error:  # a number with thousands of digits
        raise InvalidAdvisory(f"invalid JSON: {str(error)[:200]}") from error
    except RecursionError as error:
        raise InvalidAdvisory("JSON is nested too deeply") from error
    return fields.table({"advisory": document}, "advisory")


def _row(id_: str, document: fields.Table) -> dict[str, object]:
    """The row of OSV_ADVISORIES for a document."""
    if (found := fields.require_text(document, "id", fields.ID)) != id_:
        raise InvalidAdvisory(f"it is {found}, but its file name is that of {id_}")
    affected = _only(document, "affected")
    specific = fields.table(affected, "database_specific")
    published = _require_time(document, "published")
    withdrawn = _time(document, "withdrawn")
    return {
        "id": id_,
        "package": _package(fields.table(affected, "package")),
        "date": published.date(),
        "known_at": published,
        "revised_at": _require_time(document, "modified"),
        "informational": fields.informational(specific),
        "cvss": fields.text(specific, "cvss"),
        "categories": fields.texts(specific, "categories"),
        "aliases": fields.texts(document, "aliases"),
        "withdrawn": withdrawn and withdrawn.date(),
        "functions": _functions(affected),
        "license": fields.text_license(fields.table(document, "database_specific")),
        "events": _events(_only(affected, "ranges")),
    }


def _only(parent: fields.Table, name: str) -> fields.Table:
    """The only table in a list: a RustSec advisory has one crate and one range of events."""
    found = parent.get(name)
    if not isinstance(found, list) or len(found) != 1:
        raise InvalidAdvisory(f"{name} must be a list of one table, found {repr(found)[:80]}")
    return fields.table({name: found[0]}, name)


def _package(package: fields.Table) -> str:
    name = fields.require_text(package, "name", fields.CRATE)
    if fields.text(package, "ecosystem") != "crates.io":
        raise InvalidAdvisory(f"ecosystem must be crates.io, found {repr(package.get('ecosystem'))[:80]}")
    if fields.text(package, "purl") != f"pkg:cargo/{name}":
        raise InvalidAdvisory(f"purl must be pkg:cargo/{name}, found {repr(package.get('purl'))[:80]}")
    return name


def _functions(affected: fields.Table) -> list[str] | None:
    specific = fields.table(affected, "ecosystem_specific")
    named = fields.texts(fields.table(specific, "affects"), "functions") + fields.texts(specific, "affected_functions")
    return sorted(set(named)) or None


def _events(semver: fields.Table) -> list[dict[str, str]]:
    """The events of a range, in their order: each introduces or fixes the problem in a version."""
    events = semver.get("events")
    if fields.text(semver, "type") != "SEMVER" or not isinstance(events, list):
        raise InvalidAdvisory(f"ranges must have one of type SEMVER, with events, found {repr(semver)[:80]}")
    for event in events:
        if not isinstance(event, dict) or len(event) != 1 or not event.keys() <= {"introduced", "fixed"}:
            raise InvalidAdvisory(f"an event must have either introduced or fixed, found {repr(event)[:80]}")
        [version] = event.values()
        if not isinstance(version, str) or not (version == EVERY_VERSION or VERSION.fullmatch(version)):
            raise InvalidAdvisory(f"an event must have a version, found {repr(version)[:80]}")
    if not any("introduced" in event for event in events):
        raise InvalidAdvisory("no event introduces the problem")
    return events


def _require_time(parent: fields.Table, name: str) -> datetime:
    found = _time(parent, name)
    if found is None:
        raise InvalidAdvisory(f"{name} is missing")
    return found


def _time(parent: fields.Table, name: str) -> datetime | None:
    """An instant, as UTC without a time zone; None if it is missing."""
    found = fields.text(parent, name)
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found)
        if at.tzinfo is None:
            raise ValueError("it has no time zone")
        return at.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise InvalidAdvisory(f"{name} must be a time like 2021-01-31T12:00:00Z, found {found[:40]!r}") from error
