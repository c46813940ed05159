"""Today's crates.io: the database dump, the RustSec advisories from their repository, the archive of downloads."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from resources.common.errors import BadInput
from resources.common.http.client import HttpClient
from resources.crates_io.download_days import keep_days, view_kept_days
from resources.crates_io.dump.csv_tables import (
    NOT_UTF_8,
    count_read,
    line_ends,
    odd_line,
    read_header,
    unread_records,
    view_csv,
)
from resources.crates_io.dump.fetch import fetch_tables, taken_at
from resources.crates_io.dump.file_bytes import is_address, open_bytes
from resources.crates_io.dump.layout import CSV_TABLES, MADE_OF, judge_header
from resources.registry.archived_advisories import keep_advisories
from resources.registry.snapshot_archive import KeptSnapshot, SnapshotArchive
from resources.registry.source import Newest, RegistrySource, Report, Say, Snapshot, Unread, not_in_the_future, query_of
from resources.warehouse.session import view_files

SQL = Path(__file__).parent / "sql"
CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True)
class CratesIoDump(RegistrySource):
    """The newest dump at `dump` (an https address or a path; zip or tar.gz), and the snapshots kept in `folder`.

    `advisory_db` is the address of the RustSec repository, `history_days` how many days of downloads before the dump's
    own 90 are brought from the archive, `keep` how many of the newest snapshots are kept, beside the first of a month.
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
        return SnapshotArchive(Path(self.folder))

    def newest(self) -> Newest:
        return Newest(self._judged(taken_at(open_bytes(self.dump, self._client()))))

    def _client(self) -> HttpClient | None:
        """The way out, if anything is not on this disk. Raises BadInput where no contact is configured."""
        return HttpClient(self.contact) if is_address(self.dump) or self.history_days else None

    def _judged(self, at: datetime) -> datetime:
        """A dump's time, unless it cannot be. Raises BadInput."""
        now = datetime.now(UTC).replace(tzinfo=None)
        not_in_the_future(f"{self.dump}: its timestamp", at, now + CLOCKS_DIFFER)
        kept = self.archive.recorded(self.archive.keys()[-1]) if self.archive.keys() else None
        if kept and at < datetime.fromisoformat(kept.taken_at):
            raise BadInput(
                f"{self.dump} is the dump of {at:%Y-%m-%d %H:%M}, older than the newest here ({kept.taken_at}): "
                "a mirror that lags, or an old file; choose another, the newest snapshot stays"
            )
        return at

    def fetch(self, key: str, say: Say, report: Report | None = None) -> Snapshot:
        """Brings the tables that changed, the advisories and the archive's days; `report` is told of every chunk."""
        with self.archive.only_fetcher():
            if self.archive.find(key) is None:
                self._fetch(key, say, report or _every_tenth(say))
        for note in self.archive.require(key).notes:
            say(note)
        return self.require(key)

    def _fetch(self, key: str, say: Say, report: Report) -> None:
        client = self._client()
        source = open_bytes(self.dump, client)
        at = self._judged(taken_at(source))
        if at.date().isoformat() != key:
            raise BadInput(f"{self.dump} is the dump of {at.date()}; it has none of {key}: ask for {at.date()}")
        files, notes = fetch_tables(source, self.archive, f"{at:%Y%m%d%H%M%S}", report)
        for name, table in CSV_TABLES.items():
            notes += judge_header(table, read_header(self.archive.objects / files[name].object, table))
        say("reading the advisory database")
        files |= keep_advisories(self.archive, self.advisory_db)
        files |= keep_days(self.archive, client, self.static_url, self.history_days, at.date(), say)
        fetched = client.bytes_fetched if client else 0
        kept = KeptSnapshot(
            taken_at=at.isoformat(),
            advisories_read_at=datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat(),
            source=self.dump,
            source_bytes=source.size,
            fetched_bytes=fetched,
            notes=tuple(notes),
            files=files,
        )
        self.archive.publish(key, kept)
        say(f"{key}: {fetched:,} bytes fetched; the whole dump has {source.size:,}")

    def require(self, key: str) -> Snapshot:
        kept = self.archive.require(key)
        return Snapshot(
            taken_at=datetime.fromisoformat(kept.taken_at),
            advisories_read_at=datetime.fromisoformat(kept.advisories_read_at),
            source=kept.source,
            sha256=kept.sha256,
            tables=(*MADE_OF, "advisories"),
            bytes=kept.stored_bytes,
            bytes_fetched=kept.fetched_bytes,
        )

    def prune(self) -> list[str]:
        return self.archive.prune(self.keep)

    def space(self) -> dict[str, tuple[int, int]]:
        return self.archive.space()

    def attach(self, con: duckdb.DuckDBPyConnection, key: str, table: str) -> str:
        kept = self.archive.require(key)
        con.execute((SQL / "macros.sql").read_text())
        if table == "advisories":
            view_files(con, "source_advisories", [self.archive.verified(kept.files["advisories"])])
            view_files(con, "source_advisories_rejected", [self.archive.verified(kept.files["advisories_rejected"])])
        if table != "yanks":
            for name in MADE_OF.get(table, ()):
                view_csv(con, self.archive.verified(kept.files[name]), CSV_TABLES[name])
        if table == "downloads":
            view_kept_days(con, self.archive, kept.files)
        return query_of(SQL, table)

    def unread(self, con: duckdb.DuckDBPyConnection, key: str, table: str, rows: int) -> list[Unread]:
        found: list[Unread] = []
        for name in MADE_OF.get(table, ()) if table != "yanks" else ():
            path = self._object(key, name)
            unread = unread_records(con, path)
            if table == "texts":
                # versions and crates told the rest, but did not decode what they have no use for
                unread = [record for record in unread if record[2] == NOT_UTF_8]
            else:
                is_row = table != "downloads" and name == MADE_OF[table][0]
                read = rows if is_row else count_read(con, CSV_TABLES[name])
                self._need_all_read(key, name, read + len(unread))
            found += [Unread(f"data/{name}.csv", line, text, reason) for line, text, reason in unread]
        return found

    def _need_all_read(self, key: str, name: str, seen: int) -> None:
        """Raises BadInput unless as many records were seen as the file was found to have when it was fetched."""
        records = self.archive.require(key).files[name].records
        if records is not None and seen != records - 1:
            raise BadInput(
                f"data/{name}.csv has {records - 1:,} records, of which {seen:,} can be told apart "
                f"({odd_line(self._object(key, name))}): take another dump"
            )

    def locate(self, con: duckdb.DuckDBPyConnection, key: str, table: str, source_keys: list[str]) -> dict[str, int]:
        if table == "advisories":
            rows = con.execute(
                "select concat_ws(' ', file, commit), line from source_advisories_rejected where line > 0"
            )
            return dict(rows.fetchall())
        name = MADE_OF[table][0]
        return line_ends(con, self._object(key, name), CSV_TABLES[name], source_keys)

    def _object(self, key: str, name: str) -> Path:
        return self.archive.objects / self.archive.require(key).files[name].object

    def file_of(self, table: str) -> str:
        return f"data/{MADE_OF[table][0]}.csv" if table in MADE_OF else "crates/ of the advisory database"


def _every_tenth(say: Say) -> Report:
    """Progress as lines for a log: one for each tenth of a file."""
    told: dict[str, int] = {}

    def report(what: str, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if tenth > told.get(what, -1):
            told[what] = tenth
            say(f"{what}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    return report
