"""The registry source crates.io: its database dump, the RustSec advisory database and the download archive."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from resources.common.errors import BadInput
from resources.common.http.client import HttpClient
from resources.crates_io.download_days import archive_days, view_archived_days
from resources.crates_io.dump.csv_tables import (
    NOT_UTF_8,
    count_records,
    describe_malformed_line,
    find_lines,
    read_header,
    unreadable_records,
    view_csv,
)
from resources.crates_io.dump.dump_file import is_url, open_dump
from resources.crates_io.dump.fetch import fetch_tables, taken_at
from resources.crates_io.dump.layout import CSV_FILES, CSV_TABLES, check_header
from resources.registry.archived_advisories import archive_advisories
from resources.registry.snapshot_archive import ArchivedSnapshot, SnapshotArchive
from resources.registry.source import (
    AvailableSnapshot,
    LogLine,
    ProgressCallback,
    RegistrySource,
    Snapshot,
    UnreadableRecord,
    read_query,
    refuse_future,
)
from resources.warehouse.session import view_files

SQL = Path(__file__).parent / "sql"
MAX_CLOCK_DIFFERENCE = timedelta(hours=1)


@dataclass(frozen=True)
class CratesIoDump(RegistrySource):
    """The dump at `dump` (an https URL or a path; zip or tar.gz), and the snapshots archived in `folder`.

    `advisory_db` is the URL of the RustSec repository. `history_days` is the number of days of downloads, before the 90
    in the dump, to fetch from the download archive. `keep` is the number of newest snapshots to retain, in addition to
    the first of each month.
    """

    folder: str
    dump: str
    contact: str
    advisory_db: str
    static_url: str
    history_days: int
    keep: int

    @property
    def archive(self) -> SnapshotArchive:
        """The archive of the fetched snapshots."""
        return SnapshotArchive(Path(self.folder))

    def newest(self) -> AvailableSnapshot:
        return AvailableSnapshot(self._checked_time(taken_at(open_dump(self.dump, self._client()))))

    def _client(self) -> HttpClient | None:
        """The client, or None if no file is remote. Raises BadInput if it needs a contact and none is configured."""
        return HttpClient(self.contact) if is_url(self.dump) or self.history_days else None

    def _checked_time(self, at: datetime) -> datetime:
        """The time of a dump. Raises BadInput if it is in the future, or before that of the newest snapshot."""
        now = datetime.now(UTC).replace(tzinfo=None)
        refuse_future(f"{self.dump}: its timestamp", at, now + MAX_CLOCK_DIFFERENCE)
        keys = self.archive.keys()
        newest = self.archive.read_record(keys[-1]) if keys else None
        if newest and at < datetime.fromisoformat(newest.taken_at):
            raise BadInput(
                f"{self.dump} is the dump of {at:%Y-%m-%d %H:%M}, older than the newest snapshot "
                f"({newest.taken_at}): use a newer dump or another mirror"
            )
        return at

    def fetch(self, key: str, log: LogLine, progress: ProgressCallback | None = None) -> Snapshot:
        """Fetches the tables that have changed, the advisories and the days of the download archive."""
        with self.archive.fetch_lock():
            if self.archive.find(key) is None:
                self._fetch(key, log, progress or _log_every_tenth(log))
        for note in self.archive.require(key).notes:
            log(note)
        return self.require(key)

    def _fetch(self, key: str, log: LogLine, progress: ProgressCallback) -> None:
        client = self._client()
        source = open_dump(self.dump, client)
        at = self._checked_time(taken_at(source))
        if at.date().isoformat() != key:
            raise BadInput(f"{self.dump} is the dump of {at.date()}, not of {key}: use {at.date()}")
        files, notes = fetch_tables(source, self.archive, f"{at:%Y%m%d%H%M%S}", progress)
        for name, table in CSV_TABLES.items():
            notes += check_header(table, read_header(self.archive.objects / files[name].object, table))
        log("reading the advisory database")
        files |= archive_advisories(self.archive, self.advisory_db)
        files |= archive_days(self.archive, client, self.static_url, self.history_days, at.date(), log)
        fetched = client.bytes_fetched if client else 0
        snapshot = ArchivedSnapshot(
            taken_at=at.isoformat(),
            advisories_read_at=datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat(),
            source=self.dump,
            source_bytes=source.size,
            fetched_bytes=fetched,
            notes=tuple(notes),
            files=files,
        )
        self.archive.publish(key, snapshot)
        log(f"{key}: {fetched:,} bytes fetched; the whole dump has {source.size:,}")

    def require(self, key: str) -> Snapshot:
        archived = self.archive.require(key)
        return Snapshot(
            taken_at=datetime.fromisoformat(archived.taken_at),
            advisories_read_at=datetime.fromisoformat(archived.advisories_read_at),
            source=archived.source,
            sha256=archived.sha256,
            tables=(*CSV_FILES, "advisories"),
            bytes=archived.stored_bytes,
            bytes_fetched=archived.fetched_bytes,
        )

    def prune(self) -> list[str]:
        return self.archive.prune(self.keep)

    def disk_usage(self) -> dict[str, tuple[int, int]]:
        return self.archive.disk_usage()

    def attach(self, con: duckdb.DuckDBPyConnection, key: str, table: str) -> str:
        files = self.archive.require(key).files
        con.execute((SQL / "macros.sql").read_text())
        if table == "advisories":
            view_files(con, "source_advisories", [self.archive.verified_path(files["advisories"])])
            rejected = self.archive.verified_path(files["advisories_rejected"])
            view_files(con, "source_advisories_rejected", [rejected])
        if table != "yanks":
            for name in CSV_FILES.get(table, ()):
                view_csv(con, self.archive.verified_path(files[name]), CSV_TABLES[name])
        if table == "downloads":
            view_archived_days(con, self.archive, files)
        return read_query(SQL, table)

    def unreadable_records(
        self, con: duckdb.DuckDBPyConnection, key: str, table: str, rows: int
    ) -> list[UnreadableRecord]:
        found: list[UnreadableRecord] = []
        for name in CSV_FILES.get(table, ()) if table != "yanks" else ():
            path = self._object(key, name)
            records = unreadable_records(con, path)
            if table == "texts":
                # loading versions and crates reported the others, but did not decode the texts
                records = [record for record in records if record[2] == NOT_UTF_8]
            else:
                is_row = table != "downloads" and name == CSV_FILES[table][0]
                parsed = rows if is_row else count_records(con, CSV_TABLES[name])
                self._require_all_records(key, name, parsed + len(records))
            found += [UnreadableRecord(f"data/{name}.csv", line, text, reason) for line, text, reason in records]
        return found

    def _require_all_records(self, key: str, name: str, found: int) -> None:
        """Raises BadInput unless all records that were counted while fetching the file were found."""
        records = self.archive.require(key).files[name].records
        if records is not None and found != records - 1:
            raise BadInput(
                f"data/{name}.csv has {records - 1:,} records, but DuckDB finds {found:,} "
                f"({describe_malformed_line(self._object(key, name))}): use another dump"
            )

    def locate(self, con: duckdb.DuckDBPyConnection, key: str, table: str, source_keys: list[str]) -> dict[str, int]:
        if table == "advisories":
            rows = con.execute(
                "select concat_ws(' ', file, commit), line from source_advisories_rejected where line > 0"
            )
            return dict(rows.fetchall())
        name = CSV_FILES[table][0]
        return find_lines(con, self._object(key, name), CSV_TABLES[name], source_keys)

    def _object(self, key: str, name: str) -> Path:
        return self.archive.objects / self.archive.require(key).files[name].object

    def file_name(self, table: str) -> str:
        return f"data/{CSV_FILES[table][0]}.csv" if table in CSV_FILES else "crates/ of the advisory database"


def _log_every_tenth(log: LogLine) -> ProgressCallback:
    """Logs the progress of each file once per tenth of its size."""
    logged: dict[str, int] = {}

    def progress(file: str, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if tenth > logged.get(file, -1):
            logged[file] = tenth
            log(f"{file}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    return progress
