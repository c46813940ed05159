"""The archive's days of downloads beside a dump's own: which are wanted, kept once, and made visible together."""

import zlib
from datetime import date, timedelta

import duckdb

from resources.common.http.client import HttpClient
from resources.crates_io.download_archive import fetch_day, list_days, view_breaks, view_days
from resources.registry.snapshot_archive import KeptFile, SnapshotArchive, kept_file
from resources.registry.source import Say

DUMP_DAYS = 90  # what the dump keeps; the archive may have the oldest of them already
FOLDER, PREFIX = "days", "day "


def keep_days(
    archive: SnapshotArchive, client: HttpClient | None, static_url: str, history_days: int, taken_on: date, say: Say
) -> dict[str, KeptFile]:
    """The archived days of the last DUMP_DAYS + `history_days` before the dump, fetched where they are not here yet."""
    if not history_days or client is None:
        return {}
    first = taken_on - timedelta(days=DUMP_DAYS + history_days)
    days = [day for day in list_days(client, static_url) if first <= day.date < taken_on]
    kept: dict[str, KeptFile] = {}
    for number, day in enumerate(days):
        path = fetch_day(client, static_url, day, archive.objects)
        kept[f"{PREFIX}{day.date}"] = kept_file(path, zlib.crc32(path.read_bytes()), day.bytes)
        if number % 30 == 0:
            say(f"download archive: {day.date}, {number + 1} of {len(days)} days")
    return kept


def view_kept_days(con: duckdb.DuckDBPyConnection, archive: SnapshotArchive, files: dict[str, KeptFile]) -> None:
    """Makes the kept days visible as `archived_downloads`, the breaks of the series as `download_breaks`.

    Sets `newest_archived`, the newest day among them, or null.
    """
    days = sorted(name for name in files if name.startswith(PREFIX))
    view_days(con, [archive.verified(files[name]) for name in days])
    view_breaks(con)
    newest = date.fromisoformat(days[-1].removeprefix(PREFIX)) if days else None
    con.execute("set variable newest_archived = $day", {"day": newest})
