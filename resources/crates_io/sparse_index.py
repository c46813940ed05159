"""crates.io's sparse index: one file a crate, one line of JSON a version (Cargo's book, "Index Format").

A line that Cargo would not read is set aside with its number and the reason; the other lines stay. Of two lines with
the same version the last stands, as in Cargo, which puts them into a map in this order: of the 28 duplicates the
registry had in 2022, the checksum of the earlier line was the wrong one wherever they differed (crates.io-index #21).
Versions that differ in build metadata are different versions.
"""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from resources.common.errors import BadInput
from resources.common.http.client import HttpClient
from resources.registry.columns import COLUMNS

MOST_BYTES_OF_FILE = 64 * 1024 * 1024
MOST_BYTES_OF_LINE = 4 * 1024 * 1024
NEWEST_FORMAT = 2  # `v`: Cargo skips lines of a format it does not know
PARALLEL = 8  # the index has no rate limit; this many keep a home connection busy

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

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
NUM = re.compile(r"[0-9][0-9A-Za-z.+-]{0,149}")
_CHECKSUM = re.compile(r"[0-9a-f]{64}")
_PUBTIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_KINDS = ("normal", "build", "dev")
# null is the registry of the file itself; the others are the names Cargo has for crates.io
_CRATES_IO = (
    None,
    "https://github.com/rust-lang/crates.io-index",
    "registry+https://github.com/rust-lang/crates.io-index",
    "sparse+https://index.crates.io/",
)


@dataclass(frozen=True)
class RejectedLine:
    """A line of a crate's index file (from 1), or one dependency of it, that was not read, and why."""

    name: str
    line: int
    reason: str


@dataclass(frozen=True)
class CrateFile:
    """What the index answered for a crate: `status` is 200 with a body, 304 (as before) or 404 (the crate is gone)."""

    name: str
    status: int
    body: bytes
    etag: str | None


class _BadLine(Exception):
    """The line does not fit the format."""


def index_path(name: str) -> str:
    """The path of a crate's file in the index. Raises BadInput if `name` cannot be a crate."""
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{name[:80]!r} is no crate name: expected a letter, then up to 63 letters, digits, - or _: correct it"
        )
    lower = name.lower()
    if len(lower) <= 2:
        return f"{len(lower)}/{lower}"
    if len(lower) == 3:
        return f"3/{lower[0]}/{lower}"
    return f"{lower[:2]}/{lower[2:4]}/{lower}"


def fetch_crates(
    client: HttpClient, index_url: str, names: Iterable[str], validators: dict[str, str]
) -> Iterator[CrateFile]:
    """The index files of crates, in the order of `names`, each crate once.

    `validators` has the ETag of the file seen last, by crate: a file that is still the same is not sent again. At most
    PARALLEL requests are under way at a time. Raises what the client raises, and BadInput for what is no crate name.
    """

    def fetch(name: str) -> CrateFile:
        url = f"{index_url.rstrip('/')}/{index_path(name)}"
        answer = client.get(url, max_bytes=MOST_BYTES_OF_FILE, etag=validators.get(name))
        return CrateFile(name, answer.status, answer.body, answer.etag)

    under_way: deque[Future[CrateFile]] = deque()
    with ThreadPoolExecutor(PARALLEL) as pool:
        for name in dict.fromkeys(names):
            if len(under_way) == PARALLEL:
                yield under_way.popleft().result()
            under_way.append(pool.submit(fetch, name))
        while under_way:
            yield under_way.popleft().result()


def read_index_file(body: bytes, name: str, rejected: list[RejectedLine]) -> tuple[pa.Table, pa.Table]:
    """The versions (VERSIONS) and the dependencies (DEPENDENCIES, renames resolved) in a crate's index file.

    `position` is the number of the version's line, from 0; `published_at` is null where the file does not say it.
    What cannot be read is added to `rejected`. Raises BadInput if the file is longer than MOST_BYTES_OF_FILE.
    """
    if len(body) > MOST_BYTES_OF_FILE:
        raise BadInput(
            f"the index file of {name} has {len(body)} bytes, expected at most {MOST_BYTES_OF_FILE}: "
            "check that the index URL is an index of crates"
        )
    found: dict[str, tuple[dict, list[dict]]] = {}
    for position, line in enumerate(body.split(b"\n")):
        if not line.strip():
            continue
        try:
            entry = _entry(line, name)
            version = _version(entry, position)
            dependencies = _dependencies(entry, RejectedLine(name, position + 1, ""), rejected)
        except _BadLine as error:
            rejected.append(RejectedLine(name, position + 1, str(error)))
            continue
        # the last line of a version stands, at its own place
        found.pop(version["num"], None)
        found[version["num"]] = (version, dependencies)
    versions = [version for version, _ in found.values()]
    dependencies = [row for _, rows in found.values() for row in rows]
    return pa.Table.from_pylist(versions, VERSIONS), pa.Table.from_pylist(dependencies, DEPENDENCIES)


def _entry(line: bytes, name: str) -> dict:
    """The object on a line, once it is of this crate and in a format known. Raises _BadLine."""
    if len(line) > MOST_BYTES_OF_LINE:
        raise _BadLine(f"the line has {len(line)} bytes, expected at most {MOST_BYTES_OF_LINE}")
    try:
        entry = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise _BadLine(f"the line is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise _BadLine(f"the line is not JSON ({error})"[:200]) from error
    if not isinstance(entry, dict):
        raise _BadLine(f"the line is a {type(entry).__name__}, expected an object")
    format_ = entry.get("v")
    if format_ is not None and (type(format_) is not int or not 1 <= format_ <= NEWEST_FORMAT):
        raise _BadLine(f"v is {_shown(format_)}, expected 1 to {NEWEST_FORMAT}: a format not known here")
    found = _text(entry, "name")
    if found.lower() != name.lower():
        raise _BadLine(f"the line is of the crate {_shown(found)}")
    return entry


def _version(entry: dict, position: int) -> dict:
    """One row of VERSIONS."""
    num, checksum = _text(entry, "vers"), _text(entry, "cksum")
    if not NUM.fullmatch(num):
        raise _BadLine(f"vers is {_shown(num)}, expected a version")
    if not _CHECKSUM.fullmatch(checksum):
        raise _BadLine(f"cksum is {_shown(checksum)}, expected 64 hexadecimal digits")
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


def _dependencies(entry: dict, place: RejectedLine, rejected: list[RejectedLine]) -> list[dict]:
    """The rows of DEPENDENCIES of one version; those of other registries go to `rejected`. Raises _BadLine."""
    deps = entry.get("deps")
    if not isinstance(deps, list) or not all(isinstance(dep, dict) for dep in deps):
        raise _BadLine(f"deps is {_shown(deps)}, expected a list of objects")
    rows, elsewhere = [], []
    for dep in deps:
        row = _dependency(entry, dep)
        registry = _optional_text(dep, "registry")
        if registry in _CRATES_IO:
            rows.append(row)
        else:
            reason = f"dependency {_shown(row['dependency'])} of {entry['vers']} is of the registry {_shown(registry)}"
            elsewhere.append(RejectedLine(place.name, place.line, reason))
    rejected.extend(elsewhere)
    return rows


def _dependency(entry: dict, dep: dict) -> dict:
    """One row of DEPENDENCIES: `package` is the crate and `name` its alias, if it was renamed."""
    name, package, kind = _text(dep, "name"), _optional_text(dep, "package"), _optional_text(dep, "kind") or "normal"
    if kind not in _KINDS:
        raise _BadLine(f"the kind of dependency {_shown(name)} is {_shown(kind)}, expected one of {', '.join(_KINDS)}")
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
        raise _BadLine(f"{key} is missing")
    return value


def _optional_text(record: dict, key: str) -> str | None:
    """A string that can be stored: JSON can also write halves of characters, and NUL."""
    value = record.get(key)
    if value is not None and not (isinstance(value, str) and _can_be_stored(value)):
        raise _BadLine(f"{key} is {_shown(value)}, expected text")
    return value


def _flag(record: dict, key: str, *, default: bool) -> bool:
    value = record.get(key)
    if value is not None and not isinstance(value, bool):
        raise _BadLine(f"{key} is {_shown(value)}, expected true or false")
    return default if value is None else value


def _pubtime(entry: dict) -> datetime | None:
    """The time of publication (UTC), in the one form that Cargo takes."""
    text = _optional_text(entry, "pubtime")
    if text is None:
        return None
    try:
        if not _PUBTIME.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text[:-1])
    except ValueError as error:
        raise _BadLine(f"pubtime is {_shown(text)}, expected a time like 2025-11-18T08:58:23Z") from error


def _features(entry: dict, key: str) -> set[str]:
    """The names of the features declared under `key`."""
    features = entry.get(key)
    if features is None:
        return set()
    if not isinstance(features, dict) or not all(isinstance(value, list) for value in features.values()):
        raise _BadLine(f"{key} is {_shown(features)}, expected an object of lists")
    if not all(map(_can_be_stored, features)):
        raise _BadLine(f"{key} has a name that is no text")
    return set(features)


def _can_be_stored(text: str) -> bool:
    return (text.isascii() and "\0" not in text) or not re.search("[\0\ud800-\udfff]", text)


def _shown(value: object) -> str:
    """A value as it was found, short enough for a message and safe to store."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
