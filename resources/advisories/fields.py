"""Typed access to the fields of a parsed advisory. All functions raise InvalidAdvisory, with the field's name."""

import re
from collections.abc import Mapping
from datetime import date, datetime

from resources.advisories.schema import INFORMATIONAL, OWN_LICENSE, InvalidAdvisory

ID = re.compile(r"RUSTSEC-[0-9]{4}-[0-9]{4,6}")
CRATE = re.compile(r"[A-Za-z0-9_-]{1,64}")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Table = Mapping[str, object]


def table(parent: Table, name: str) -> Table:
    """A table; empty if it is missing or null."""
    found = parent.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _wrong(name, "a table", found)
    return found


def text(parent: Table, name: str) -> str | None:
    """A text; None if it is missing or null."""
    found = parent.get(name)
    if found is not None and not isinstance(found, str):
        raise _wrong(name, "a text", found)
    if found is not None and not found.isprintable():
        raise _wrong(name, "a text with printable characters only", found)
    return found


def require_text(parent: Table, name: str, pattern: re.Pattern[str]) -> str:
    """A text that must exist and match a pattern."""
    found = text(parent, name)
    if found is None:
        raise InvalidAdvisory(f"{name} is missing")
    if not pattern.fullmatch(found):
        raise _wrong(name, f"a text like {pattern.pattern}", found)
    return found


def texts(parent: Table, name: str) -> list[str]:
    """A list of texts; empty if it is missing or null."""
    found = parent.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, str) and item.isprintable() for item in found):
        raise _wrong(name, "a list of texts with printable characters only", found)
    return found


def iso_date(parent: Table, name: str) -> date | None:
    """A date, as a text or as a TOML date; None if it is missing."""
    found = parent.get(name)
    if isinstance(found, date) and not isinstance(found, datetime):
        return found
    if found is None:
        return None
    if not isinstance(found, str) or not DATE.fullmatch(found):
        raise _wrong(name, "a date like 2021-01-31", found)
    try:
        return date.fromisoformat(found)
    except ValueError as error:
        raise _wrong(name, "a date like 2021-01-31", found) from error


def require_date(parent: Table, name: str) -> date:
    """A date that must exist."""
    found = iso_date(parent, name)
    if found is None:
        raise InvalidAdvisory(f"{name} is missing")
    return found


def informational(parent: Table) -> str | None:
    """The kind of an informational advisory; None for a vulnerability."""
    found = text(parent, "informational")
    if found is not None and found not in INFORMATIONAL:
        raise _wrong("informational", f"one of {', '.join(INFORMATIONAL)}", found)
    return found


def text_license(parent: Table) -> str | None:
    """The license of the advisory's text; None for the database's own."""
    found = text(parent, "license")
    return None if found == OWN_LICENSE else found


def _wrong(name: str, expected: str, found: object) -> InvalidAdvisory:
    return InvalidAdvisory(f"{name} must be {expected}, found {repr(found)[:80]}")
