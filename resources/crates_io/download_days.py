"""Days of crates.io's download archive, stored in the snapshot archive, and their DuckDB views."""

import zlib
from datetime import date, timedelta

import duckdb

from resources.common.http.client import HttpClient
from resources.crates_io.download_archive import fetch_day, list_days, view_breaks, view_days
from resources.registry.snapshot_archive import ArchivedFile, SnapshotArchive, describe_file
from resources.registry.source import LogLine

DUMP_DAYS = 90  # days of downloads in a dump; the download archive may have the oldest of them too
FOLDER, PREFIX = "days", "day "


def archive_days(
    archive: SnapshotArchive,
    client: HttpClient | None,
    static_url: str,
    history_days: int,
    taken_on: date,
    log: LogLine,
) -> dict[str, ArchivedFile]:
    """Fetches the archived days among the DUMP_DAYS + `history_days` before the dump, unless they are stored already.

    Raises BadInput, SourceUnreachable and CannotWrite.
    """
    if not history_days or client is None:
        return {}
    first = taken_on - timedelta(days=DUMP_DAYS + history_days)
    days = [day for day in list_days(client, static_url) if first <= day.date < taken_on]
    files: dict[str, ArchivedFile] = {}
    for number, day in enumerate(days):
        path = fetch_day(client, static_url, day, archive.objects)
        files[f"{PREFIX}{day.date}"] = describe_file(path, zlib.crc32(path.read_bytes()), day.bytes)
        if number % 30 == 0:
            log(f"download archive: {day.date}, {number + 1} of {len(days)} days")
    return files


def view_archived_days(
    con: duckdb.DuckDBPyConnection, archive: SnapshotArchive, files: dict[str, ArchivedFile]
) -> None:
    """Creates the views `archived_downloads` and `download_breaks`.

    Sets the variable `newest_archived` to the newest archived day, or null.
    """
    days = sorted(name for name in files if name.startswith(PREFIX))
    view_days(con, [archive.verified_path(files[name]) for name in days])
    view_breaks(con)
    newest = date.fromisoformat(days[-1].removeprefix(PREFIX)) if days else None
    con.execute("set variable newest_archived = $day", {"day": newest})
