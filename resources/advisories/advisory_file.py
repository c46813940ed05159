"""The parser of one file of the RustSec advisory database: Markdown after a TOML block, or TOML only (until 2020).

    ```toml                                     [advisory]
    [advisory]                                  package = "base64"
    id = "RUSTSEC-2021-0001"                    date = "2017-05-03"
    package = "mycrate"                         patched_versions = [">= 0.5.2"]
    date = "2021-01-31"                         unaffected_versions = []
    ...                                         affected_functions = ["base64::encode_config"]
    [versions]                                  dwf = ["CVE-2017-1000430"]
    patched = [">= 1.2.3"]                      ...
    ```

Old and new keys were mixed for years, so each file may have either. Until 2018 the id was only in the file name, and at
first the table `advisory` was called `vulnerability`. `obsolete` and `yanked` are withdrawals without a date.
"""

import re
import tomllib
from datetime import date
from typing import NamedTuple

from resources.advisories import fields
from resources.advisories.schema import Advisory, InvalidAdvisory

MAX_BYTES = 1_000_000
PATH = re.compile(rf"crates/(?P<package>{fields.CRATE.pattern})/(?P<id>{fields.ID.pattern})\.(?P<kind>md|toml)")
EXPECTED_PATH = "crates/<crate>/RUSTSEC-YYYY-NNNN.md"
DRAFT = "RUSTSEC-0000-0000"
FENCED = re.compile(r"\A```toml[ \t]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
LINE_OF_ERROR = re.compile(r"at line ([0-9]+)")
# tomllib takes quadratic time for a key with many parts: 32 kB of `a.a.a` take 5 seconds
DEEP_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){20}""", re.ASCII)


class Name(NamedTuple):
    """The package and id in the path of an advisory, and whether it has the format until 2020."""

    package: str
    id: str
    is_legacy: bool


def parse_path(path: str) -> Name | None:
    """Parses `crates/<crate>/RUSTSEC-YYYY-NNNN.md` (or `.toml`); None for any other path and for drafts."""
    found = PATH.fullmatch(path)
    if found is None or found["id"] == DRAFT:
        return None
    return Name(found["package"], found["id"], is_legacy=found["kind"] == "toml")


def parse_file(path: str, content: bytes, undated: date) -> Advisory:
    """Parses the file at a path. `undated` is the date of a withdrawal without one. Raises InvalidAdvisory."""
    name = parse_path(path)
    if name is None:
        raise InvalidAdvisory(f"the path of an advisory must be {EXPECTED_PATH}")
    document = _load(content, name.is_legacy)
    advisory = fields.table(document, "advisory") or fields.table(document, "vulnerability")
    if name.is_legacy:
        advisory = {"id": name.id, **advisory}
    versions, affected = fields.table(document, "versions"), fields.table(document, "affected")
    parsed = Advisory(
        id=fields.require_text(advisory, "id", fields.ID),
        package=fields.require_text(advisory, "package", fields.CRATE),
        date=fields.require_date(advisory, "date"),
        informational=fields.informational(advisory),
        cvss=fields.text(advisory, "cvss"),
        categories=fields.texts(advisory, "categories"),
        aliases=fields.texts(advisory, "aliases") or fields.texts(advisory, "dwf"),
        patched=_patched(advisory, versions),
        unaffected=fields.texts(versions, "unaffected") or fields.texts(advisory, "unaffected_versions"),
        withdrawn=_withdrawn(advisory, undated),
        functions=_functions(advisory, affected),
        license=fields.text_license(advisory),
    )
    if (parsed.id, parsed.package) != (name.id, name.package):
        raise InvalidAdvisory(
            f"it is {parsed.id} of {parsed.package}, but its path is that of {name.id} of {name.package}"
        )
    return parsed


def _load(content: bytes, is_legacy: bool) -> fields.Table:
    """Parses the TOML of a file."""
    if len(content) > MAX_BYTES:
        raise InvalidAdvisory(f"longer than {MAX_BYTES} bytes")
    try:
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InvalidAdvisory(f"not UTF-8: {error}") from error
    fenced = None if is_legacy else FENCED.match(text)
    if not fenced and not is_legacy:
        raise InvalidAdvisory("it does not begin with a ```toml block", 1)
    return _parse_toml(fenced[1], first_line=2) if fenced else _parse_toml(text, first_line=1)


def _parse_toml(text: str, first_line: int) -> fields.Table:
    if deep := DEEP_KEY.search(text):
        raise InvalidAdvisory("a key has 20 parts or more", text.count("\n", 0, deep.start()) + first_line)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise InvalidAdvisory("TOML is nested too deeply") from error
    except ValueError as error:  # invalid TOML, an impossible date, a number with thousands of digits
        line = LINE_OF_ERROR.search(str(error))
        raise InvalidAdvisory(
            f"invalid TOML: {str(error)[:200]}", int(line[1]) + first_line - 1 if line else None
        ) from error


def _patched(advisory: fields.Table, versions: fields.Table) -> list[str]:
    """An empty list means that no version has a fix, so a missing list is an error."""
    if "patched" in versions:
        return fields.texts(versions, "patched")
    if "patched_versions" in advisory:
        return fields.texts(advisory, "patched_versions")
    raise InvalidAdvisory("versions.patched is missing")


def _withdrawn(advisory: fields.Table, undated: date) -> date | None:
    found = fields.iso_date(advisory, "withdrawn")
    is_flagged = advisory.get("yanked") is True or advisory.get("obsolete") is True
    return undated if found is None and is_flagged else found


def _functions(advisory: fields.Table, affected: fields.Table) -> list[str] | None:
    names = [*fields.table(affected, "functions"), *fields.texts(advisory, "affected_functions")]
    if not all(name.isprintable() for name in names):
        raise InvalidAdvisory("affected.functions must have printable characters only")
    return sorted(set(names)) or None
