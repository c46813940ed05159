"""The parser of index files: one file per crate, one line of JSON per version (Cargo book, "Index Format").

A line that Cargo would skip is rejected with its number and the reason; the other lines are used. Of two lines with the
same version the last one is used, as in Cargo, which inserts them into a map in this order. In the 28 duplicates that
the registry had in 2022, a differing checksum was wrong in the earlier line (crates.io-index #21).
Versions that differ in build metadata are different versions.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from resources.common.errors import BadInput
from resources.registry.columns import COLUMNS

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_LINE_BYTES = 4 * 1024 * 1024
MAX_FORMAT = 2  # `v`: Cargo skips lines of an unknown format

VERSIONS = pa.schema(
    {
        "name": pa.string(),
        "num": pa.string(),
        "position": pa.int32(),
        "yanked": pa.bool_(),
        "published_at": pa.timestamp("us"),
        "feature_names": pa.list_(pa.string()),
        "links": pa.string(),
        "rust_version": pa.string(),
        "checksum": pa.string(),
    }
)
DEPENDENCIES = pa.schema(COLUMNS["dependencies"])

CRATE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
VERSION_NUM = re.compile(r"[0-9][0-9A-Za-z.+-]{0,149}")
_CHECKSUM = re.compile(r"[0-9a-f]{64}")
_PUBTIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_KINDS = ("normal", "build", "dev")
# null is the registry of the file; the others are Cargo's names of crates.io
_CRATES_IO = (
    None,
    "https://github.com/rust-lang/crates.io-index",
    "registry+https://github.com/rust-lang/crates.io-index",
    "sparse+https://index.crates.io/",
)


@dataclass(frozen=True)
class RejectedLine:
    """A rejected line (from 1) of a crate's index file, or one dependency in it, and the reason."""

    name: str
    line: int
    reason: str


class _InvalidLine(Exception):
    """A line does not conform to the format."""


def parse_index_file(body: bytes, name: str, rejected: list[RejectedLine]) -> tuple[pa.Table, pa.Table]:
    """The versions (VERSIONS) and the dependencies (DEPENDENCIES, with renames resolved) in a crate's index file.

    `position` is the number of the version's line, from 0; `published_at` is null if the line has no `pubtime`.
    Appends invalid lines to `rejected`. Raises BadInput if the file is longer than MAX_FILE_BYTES.
    """
    if len(body) > MAX_FILE_BYTES:
        raise BadInput(
            f"the index file of {name} has {len(body)} bytes, expected at most {MAX_FILE_BYTES}: "
            "check that CRATES_INDEX_URL is a Cargo index"
        )
    found: dict[str, tuple[dict, list[dict]]] = {}
    for position, line in enumerate(body.split(b"\n")):
        if not line.strip():
            continue
        try:
            entry = _entry(line, name)
            version = _version(entry, position)
            dependencies = _dependencies(entry, RejectedLine(name, position + 1, ""), rejected)
        except _InvalidLine as error:
            rejected.append(RejectedLine(name, position + 1, str(error)))
            continue
        # the last line of a version is used, at its own position
        found.pop(version["num"], None)
        found[version["num"]] = (version, dependencies)
    versions = [version for version, _ in found.values()]
    dependencies = [row for _, rows in found.values() for row in rows]
    return pa.Table.from_pylist(versions, VERSIONS), pa.Table.from_pylist(dependencies, DEPENDENCIES)


def _entry(line: bytes, name: str) -> dict:
    """The JSON object on a line. Raises _InvalidLine if it is of another crate or of an unknown format."""
    if len(line) > MAX_LINE_BYTES:
        raise _InvalidLine(f"the line has {len(line)} bytes, expected at most {MAX_LINE_BYTES}")
    try:
        entry = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise _InvalidLine(f"the line is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise _InvalidLine(f"the line is not JSON ({error})"[:200]) from error
    if not isinstance(entry, dict):
        raise _InvalidLine(f"the line is a {type(entry).__name__}, expected an object")
    version = entry.get("v")
    if version is not None and (type(version) is not int or not 1 <= version <= MAX_FORMAT):
        raise _InvalidLine(f"v is {_short(version)}, expected 1 to {MAX_FORMAT}")
    found = _text(entry, "name")
    if found.lower() != name.lower():
        raise _InvalidLine(f"the line is of the crate {_short(found)}, not of {name}")
    return entry


def _version(entry: dict, position: int) -> dict:
    """One row of VERSIONS."""
    num, checksum = _text(entry, "vers"), _text(entry, "cksum")
    if not VERSION_NUM.fullmatch(num):
        raise _InvalidLine(f"vers is {_short(num)}, expected a version")
    if not _CHECKSUM.fullmatch(checksum):
        raise _InvalidLine(f"cksum is {_short(checksum)}, expected 64 hexadecimal digits")
    return {
        "name": entry["name"],
        "num": num,
        "position": position,
        "yanked": _flag(entry, "yanked", default=False),
        "published_at": _pubtime(entry),
        "feature_names": sorted(_features(entry, "features") | _features(entry, "features2")),
        "links": _optional_text(entry, "links"),
        "rust_version": _optional_text(entry, "rust_version"),
        "checksum": checksum,
    }


def _dependencies(entry: dict, line: RejectedLine, rejected: list[RejectedLine]) -> list[dict]:
    """The rows of DEPENDENCIES of one version; dependencies from other registries are rejected. Raises _InvalidLine."""
    deps = entry.get("deps")
    if not isinstance(deps, list) or not all(isinstance(dep, dict) for dep in deps):
        raise _InvalidLine(f"deps is {_short(deps)}, expected a list of objects")
    rows, foreign = [], []
    for dep in deps:
        row = _dependency(entry, dep)
        registry = _optional_text(dep, "registry")
        if registry in _CRATES_IO:
            rows.append(row)
        else:
            reason = (
                f"dependency {_short(row['dependency'])} of {entry['vers']} is from the registry {_short(registry)}"
            )
            foreign.append(RejectedLine(line.name, line.line, reason))
    rejected.extend(foreign)
    return rows


def _dependency(entry: dict, dep: dict) -> dict:
    """One row of DEPENDENCIES. If the dependency is renamed, `package` is the crate and `name` its alias."""
    name, package, kind = _text(dep, "name"), _optional_text(dep, "package"), _optional_text(dep, "kind") or "normal"
    if kind not in _KINDS:
        raise _InvalidLine(
            f"the kind of dependency {_short(name)} is {_short(kind)}, expected one of {', '.join(_KINDS)}"
        )
    return {
        "name": entry["name"],
        "num": entry["vers"],
        "dependency": package or name,
        "req": _text(dep, "req"),
        "kind": kind,
        "optional": _flag(dep, "optional", default=False),
        "default_features": _flag(dep, "default_features", default=True),
        "target": _optional_text(dep, "target"),
        "explicit_name": name if package else None,
    }


def _text(record: dict, key: str) -> str:
    value = _optional_text(record, key)
    if value is None:
        raise _InvalidLine(f"{key} is missing")
    return value


def _optional_text(record: dict, key: str) -> str | None:
    """A string without lone surrogates and NUL, which JSON allows but Arrow or DuckDB do not."""
    value = record.get(key)
    if value is not None and not (isinstance(value, str) and _can_be_stored(value)):
        raise _InvalidLine(f"{key} is {_short(value)}, expected text")
    return value


def _flag(record: dict, key: str, *, default: bool) -> bool:
    value = record.get(key)
    if value is not None and not isinstance(value, bool):
        raise _InvalidLine(f"{key} is {_short(value)}, expected true or false")
    return default if value is None else value


def _pubtime(entry: dict) -> datetime | None:
    """The publication time (UTC), in the only format that Cargo accepts."""
    text = _optional_text(entry, "pubtime")
    if text is None:
        return None
    try:
        if not _PUBTIME.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text[:-1])
    except ValueError as error:
        raise _InvalidLine(f"pubtime is {_short(text)}, expected a time like 2025-11-18T08:58:23Z") from error


def _features(entry: dict, key: str) -> set[str]:
    """The names of the features declared under `key`."""
    features = entry.get(key)
    if features is None:
        return set()
    if not isinstance(features, dict) or not all(isinstance(value, list) for value in features.values()):
        raise _InvalidLine(f"{key} is {_short(features)}, expected an object of lists")
    if not all(map(_can_be_stored, features)):
        raise _InvalidLine(f"{key} has a name with lone surrogates or NUL")
    return set(features)


def _can_be_stored(text: str) -> bool:
    return (text.isascii() and "\0" not in text) or not re.search("[\0\ud800-\udfff]", text)


def _short(value: object) -> str:
    """A value for a message: ASCII, at most 80 characters."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
