"""crates.io's archive of daily downloads, from November 2014: one CSV a day, `<date>.csv`, `version_id,downloads`.

A day comes into the archive when it is 90 days old and leaves the database dump then: the archive and the dump make
the whole series. BREAKS has its known breaks: one row each, with the first and the last day confirmed by `source`.
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
MOST_BYTES_OF_INDEX = 4 * 1024 * 1024  # 12 years have 0.2 MB
MOST_BYTES_OF_DAY = 256 * 1024 * 1024  # 3 million versions downloaded on one day would have 45 MB

# kind: `spam` (counts too high) and `undercount` (too low) mask their days; `method` is a change of what is counted,
# on a day between the two. scope: `all`, or the names of the crates, with spaces between
BREAKS = Path(__file__).parent / "download_breaks.csv"

_NAME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.csv")
_COLUMNS = ("version_id", "downloads")
_BAD_ROW = """
    with judged as (
        select
            version_id, downloads,
            coalesce(
                regexp_full_match(version_id, '[1-9][0-9]{0,17}') and regexp_full_match(downloads, '[0-9]{1,18}'), false
            ) as is_good
        from rows
    )
    select coalesce(
        min(concat(version_id, ',', downloads)) filter (not is_good),
        if(count(*) > count(distinct version_id), 'a version twice', null)
    )
    from judged
"""


@dataclass(frozen=True)
class ArchivedDay:
    """One file of the archive; `bytes` is its size."""

    date: date
    name: str
    bytes: int


def list_days(client: HttpClient, static_url: str) -> list[ArchivedDay]:
    """The days in the archive, oldest first. Raises BadInput if its index is not as expected."""
    url = f"{static_url.rstrip('/')}/{FOLDER}/index.json"
    answer = client.get(url, max_bytes=MOST_BYTES_OF_INDEX)
    if answer.status != 200:
        raise BadInput(f"{url} is missing: check the address of crates.io's static files")
    try:
        entries = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{url} is not JSON ({str(error)[:80]}): check the address, and read it again") from error
    if not isinstance(entries, list):
        raise BadInput(f"{url} is a {type(entries).__name__}, expected a list of name and size: check the address")
    days = sorted((_day(entry, url) for entry in entries), key=lambda day: day.date)
    if len({day.date for day in days}) < len(days):
        raise BadInput(f"{url} has a day more than once: read it again later")
    return days


def fetch_day(client: HttpClient, static_url: str, day: ArchivedDay, folder: Path) -> Path:
    """The file of a day in `folder`, fetched if it is not there whole; it has its name only once it was read.

    Raises BadInput if what comes has another size than the index says, or is not rows of `version_id,downloads`;
    CannotWrite if the disk refuses. What was there before is untouched then.
    """
    path = folder / day.name
    if path.exists() and path.stat().st_size == day.bytes:
        return path
    url = f"{static_url.rstrip('/')}/{FOLDER}/{day.name}"
    answer = client.get(url, max_bytes=day.bytes)
    if len(answer.body) != day.bytes:
        found = "is missing" if answer.status == 404 else f"has {len(answer.body)} bytes"
        raise BadInput(f"{url} {found}, the archive's index says {day.bytes} bytes: list the days and fetch it again")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _put(path, answer.body, url)
    except OSError as error:
        raise CannotWrite(
            f"{path} cannot be written ({error}): free space there; what was there is as it was"
        ) from error
    return path


def view_days(con: duckdb.DuckDBPyConnection, paths: Iterable[Path]) -> None:
    """Makes fetched days visible as `archived_downloads` (version_id, date, downloads)."""
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
    """Makes BREAKS visible as `download_breaks` (starts_on, ends_on, kind, scope list, source)."""
    con.read_csv(str(BREAKS), header=True, all_varchar=True).project(
        "starts_on::date as starts_on, ends_on::date as ends_on, kind, string_split(scope, ' ') as scope, source"
    ).create_view("download_breaks", replace=True)


def _day(entry: object, url: str) -> ArchivedDay:
    """Raises BadInput naming the entry: its name becomes a file's name here."""
    name, size = (entry.get("name"), entry.get("size")) if isinstance(entry, dict) else (None, None)
    found = _NAME.fullmatch(name) if isinstance(name, str) else None
    if found and type(size) is int and 0 < size <= MOST_BYTES_OF_DAY:
        with suppress(ValueError):
            return ArchivedDay(date.fromisoformat(found[1]), found[0], size)
    raise BadInput(
        f"{url} has the entry {ascii(entry)[:120]}, expected a name like 2024-08-01.csv and a size from 1 to "
        f"{MOST_BYTES_OF_DAY}: read it again later, or leave the archive out"
    )


def _put(path: Path, body: bytes, url: str) -> None:
    """The file gets its name once it is on the disk and was read."""
    temporary = temporary_path(path)
    try:
        temporary.write_bytes(body)
        _verify(temporary, url)
        fsync_and_rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _verify(path: Path, url: str) -> None:
    """Raises BadInput if the file has other columns, or a row that is no count of one version."""
    with duckdb.connect() as con:
        try:
            rows = _csv(con, [path])
            if set(_COLUMNS) <= set(rows.columns):
                rows.create_view("rows")
                found = con.execute(_BAD_ROW).fetchall()[0][0]
            else:
                found = f"the columns {', '.join(rows.columns[:-1])}"
        except duckdb.Error as error:
            found = str(error)
    if found:
        raise BadInput(
            f"{url} is not rows of {','.join(_COLUMNS)}, each version once (found {found[:200]}): "
            "list the days and fetch it again; if it stays so, leave the day out"
        )


def _csv(con: duckdb.DuckDBPyConnection, files: list[Path]) -> duckdb.DuckDBPyRelation:
    """The rows as they are written, by the names in the header, and `filename`."""
    names = ", ".join("'{}'".format(str(path).replace("'", "''")) for path in files)
    return con.sql(
        f"from read_csv([{names}], header = true, delim = ',', quote = '\"', all_varchar = true, union_by_name = true, "
        "filename = true)"
    )
