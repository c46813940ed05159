"""crates.io's archive of daily downloads since November 2014: one file `<date>.csv` per day, `version_id,downloads`.

A day moves from the database dump to the archive when it is 90 days old, so the two give the complete series. BREAKS
lists the known breaks of the series, with the first and last day that `source` confirms.
"""

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from resources.common.errors import BadInput, CannotWrite
from resources.common.files import fsync_and_rename, temporary_path
from resources.common.http.client import HttpClient

FOLDER = "archive/version-downloads"
MAX_INDEX_BYTES = 4 * 1024 * 1024  # 12 years have 0.2 MB
MAX_DAY_BYTES = 256 * 1024 * 1024  # 3 million versions have 45 MB

# kind: `spam` (counts too high) and `undercount` (too low) mask their days; `method` is a change of the counting
# method, on a day between the two dates. scope: `all`, or crate names separated by spaces
BREAKS = Path(__file__).parent / "download_breaks.csv"

_NAME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.csv")
_COLUMNS = ("version_id", "downloads")
_INVALID_ROW = """
    with checked as (
        select
            version_id, downloads,
            coalesce(
                regexp_full_match(version_id, '[1-9][0-9]{0,17}') and regexp_full_match(downloads, '[0-9]{1,18}'), false
            ) as is_valid
        from rows
    )
    select coalesce(
        min(concat(version_id, ',', downloads)) filter (not is_valid),
        if(count(*) > count(distinct version_id), 'a duplicate version', null)
    )
    from checked
"""


@dataclass(frozen=True)
class ArchivedDay:
    """One file of the archive; `bytes` is its size."""

    date: date
    name: str
    bytes: int


def list_days(client: HttpClient, static_url: str) -> list[ArchivedDay]:
    """The days in the archive, oldest first. Raises BadInput if its index is invalid, SourceUnreachable."""
    url = f"{static_url.rstrip('/')}/{FOLDER}/index.json"
    response = client.get(url, max_bytes=MAX_INDEX_BYTES)
    if response.status != 200:
        raise BadInput(f"{url} is missing: check CRATES_STATIC_URL")
    try:
        entries = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{url} is not JSON ({str(error)[:80]}): check CRATES_STATIC_URL, then try again") from error
    if not isinstance(entries, list):
        raise BadInput(
            f"{url} is a {type(entries).__name__}, expected a list of names and sizes: check CRATES_STATIC_URL"
        )
    days = sorted((_day(entry, url) for entry in entries), key=lambda day: day.date)
    if len({day.date for day in days}) < len(days):
        raise BadInput(f"{url} has a duplicate day: try again later")
    return days


def fetch_day(client: HttpClient, static_url: str, day: ArchivedDay, folder: Path) -> Path:
    """The file of a day in `folder`, fetched unless it is complete; it gets its name after it was verified.

    Raises BadInput if the file has another size than in the index, or is not rows of `version_id,downloads`;
    CannotWrite if the disk is full or read-only; SourceUnreachable.
    """
    path = folder / day.name
    if path.exists() and path.stat().st_size == day.bytes:
        return path
    url = f"{static_url.rstrip('/')}/{FOLDER}/{day.name}"
    response = client.get(url, max_bytes=day.bytes)
    if len(response.body) != day.bytes:
        found = "is missing" if response.status == 404 else f"has {len(response.body)} bytes"
        raise BadInput(f"{url} {found}, expected {day.bytes} bytes by the archive's index: try again later")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_verified(path, response.body, url)
    except OSError as error:
        raise CannotWrite(
            f"cannot write {path} ({error}): free space there; what was there before is unchanged"
        ) from error
    return path


def view_days(con: duckdb.DuckDBPyConnection, paths: Iterable[Path]) -> None:
    """Creates the view `archived_downloads` (version_id, date, downloads) of fetched days."""
    files = list(paths)
    if files:
        days = _csv(con, files).project(
            "version_id::bigint as version_id, parse_filename(filename, true)::date as date, "
            "downloads::bigint as downloads"
        )
    else:
        days = con.sql("select 0::bigint as version_id, null::date as date, 0::bigint as downloads where false")
    days.create_view("archived_downloads", replace=True)


def view_breaks(con: duckdb.DuckDBPyConnection) -> None:
    """Creates the view `download_breaks` (starts_on, ends_on, kind, scope list, source) of BREAKS."""
    con.read_csv(str(BREAKS), header=True, all_varchar=True).project(
        "starts_on::date as starts_on, ends_on::date as ends_on, kind, string_split(scope, ' ') as scope, source"
    ).create_view("download_breaks", replace=True)


def _day(entry: object, url: str) -> ArchivedDay:
    """An entry of the archive's index, whose name becomes a file name here. Raises BadInput."""
    name, size = (entry.get("name"), entry.get("size")) if isinstance(entry, dict) else (None, None)
    found = _NAME.fullmatch(name) if isinstance(name, str) else None
    if found and type(size) is int and 0 < size <= MAX_DAY_BYTES:
        with suppress(ValueError):
            return ArchivedDay(date.fromisoformat(found[1]), found[0], size)
    raise BadInput(
        f"{url} has the entry {ascii(entry)[:120]}, expected a name like 2024-08-01.csv and a size from 1 to "
        f"{MAX_DAY_BYTES}: try again later, or set CRATES_HISTORY_DAYS=0"
    )


def _write_verified(path: Path, body: bytes, url: str) -> None:
    """Writes and verifies a temporary file, then renames it."""
    temporary = temporary_path(path)
    try:
        temporary.write_bytes(body)
        _verify(temporary, url)
        fsync_and_rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _verify(path: Path, url: str) -> None:
    """Raises BadInput if the file has other columns, or a row that is not a count of one version."""
    with duckdb.connect() as con:
        try:
            rows = _csv(con, [path])
            if set(_COLUMNS) <= set(rows.columns):
                rows.create_view("rows")
                found = con.execute(_INVALID_ROW).fetchall()[0][0]
            else:
                found = f"the columns {', '.join(rows.columns[:-1])}"
        except duckdb.Error as error:
            found = str(error)
    if found:
        raise BadInput(
            f"{url} is not rows of {','.join(_COLUMNS)}, with each version once (found {found[:200]}): "
            "try again later, or set CRATES_HISTORY_DAYS=0"
        )


def _csv(con: duckdb.DuckDBPyConnection, files: list[Path]) -> duckdb.DuckDBPyRelation:
    """The rows as text, with columns by the names in the header, and `filename`."""
    names = ", ".join("'{}'".format(str(path).replace("'", "''")) for path in files)
    return con.sql(
        f"from read_csv([{names}], header = true, delim = ',', quote = '\"', all_varchar = true, union_by_name = true, "
        "filename = true)"
    )
