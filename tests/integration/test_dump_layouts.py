"""Every layout that the dump has had is loaded into the same tables, without changing a value."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from pipeline_defs.build import Resources
from resources.common.errors import BadInput
from resources.crates_io.dump import csv_tables as csv_module
from resources.crates_io.dump.layout import CSV_TABLES, check_header
from testing import dumps
from testing.dumps import LAYOUTS, README, SMALL_AT, Dump, Layout, csv_tables, small_dump, tar_gz_bytes, zip_bytes
from testing.live_source import KEY, archive_of, live_resources, load, pack, rows, silent, source_of, state

NEWEST, OLDEST = "2026-08", "2024-02"
Archive = Callable[[Dump, str, str], bytes]
# the dump of 2024-02 has no description per version (only the version that crates.io shows has one) ...
LATER_TEXTS = "texts"
# ... and none of these columns
LATER_COLUMNS = ("edition", "has_lib", "repository", "categories", "keywords")
UPDATED_AT_RELIABLE_SINCE = datetime(2021, 10, 8)


@pytest.fixture(scope="module")
def newest(loaded_dump: Path, one_advisory: Path) -> Resources:
    """The tables of the zip with the newest layout."""
    return live_resources(loaded_dump, loaded_dump.parent / "dump.zip", one_advisory)


def loaded(folder: Path, dump: bytes, advisory_db: Path) -> Resources:
    """An installation that has loaded a dump."""
    (folder / "dump").write_bytes(dump)
    resources = live_resources(folder / "data", folder / "dump", advisory_db)
    load(resources)
    return resources


@pytest.mark.parametrize(
    ("layout", "archive"),
    [
        *((layout, zip_bytes) for layout in LAYOUTS if layout not in (NEWEST, OLDEST)),
        *((layout, tar_gz_bytes) for layout in (NEWEST, "2024-11")),
    ],
)
def test_layouts_give_the_same_bytes(
    layout: str, archive: Archive, tmp_path: Path, newest: Resources, one_advisory: Path
) -> None:
    resources = loaded(tmp_path, archive(small_dump(), layout, SMALL_AT), one_advisory)
    assert state(resources) == state(newest)
    assert archive_of(resources).require(KEY).notes == ()


def test_oldest_layout_lacks_only_later_columns_and_texts(
    tmp_path: Path, newest: Resources, one_advisory: Path
) -> None:
    oldest = loaded(tmp_path, zip_bytes(small_dump(), OLDEST, SMALL_AT), one_advisory)
    expected, found = state(newest), state(oldest)
    assert {table for table, key in found if found[table, key] != expected[table, key]} == {"versions", LATER_TEXTS}
    without = [{**row, **dict.fromkeys(LATER_COLUMNS)} for row in rows(newest, "versions")]
    assert rows(oldest, "versions") == without
    readmes = {row["version_id"]: row["readme"] for row in rows(newest, "texts") if row["readme"]}
    shown = {row["version_id"]: row for row in rows(oldest, "texts")}
    assert {version: row["readme"] for version, row in shown.items() if row["readme"]} == readmes
    texts = {row["version_id"]: row["description"] for row in rows(newest, "texts")}
    assert all(row["description"] == texts.get(version) for version, row in shown.items())
    assert len(shown) < len(texts)


def test_crates_versions_and_owners_match_the_dump(newest: Resources) -> None:
    dump = small_dump()
    crates = [(c["id"], c["name"], c["created_at"], True) for c in dump["crates"]]
    columns = ("id", "name", "created_at", "created_at_exact")
    assert [tuple(row[c] for c in columns) for row in rows(newest, "crates")] == crates
    same = (
        *("id", "crate_id", "num", "created_at", "updated_at", "yanked", "links", "crate_size", "edition"),
        *("rust_version", "license", "has_lib", "repository", "categories", "keywords", "published_by"),
    )
    expected = [{**{c: v[c] for c in same}, "feature_names": sorted(v["features"])} for v in dump["versions"]]
    assert [{c: row[c] for c in (*same, "feature_names")} for row in rows(newest, "versions")] == expected
    logins = {("user", u["id"]): u["gh_login"] for u in dump["users"]} | {("team", 1): "github:grove:keepers"}
    owners = {
        (o["crate_id"], kind := "team" if o["owner_kind"] else "user", o["owner_id"]): (
            logins[kind, o["owner_id"]],
            o["created_at"],
        )
        for o in dump["crate_owners"]
    }
    found = {(r["crate_id"], r["kind"], r["owner_id"]): (r["login"], r["created_at"]) for r in rows(newest, "owners")}
    assert found == owners


def test_dependencies_match_the_dump(newest: Resources) -> None:
    same = ("id", "version_id", "crate_id", "req", "optional", "default_features", "target", "explicit_name")
    kinds = ("normal", "build", "dev")
    expected = [{**{c: d[c] for c in same}, "kind": kinds[d["kind"]]} for d in small_dump()["dependencies"]]
    assert rows(newest, "dependencies") == expected
    assert any(row["explicit_name"] for row in expected)
    assert 'cfg(all(windows, target_arch = "x86_64"))' in {row["target"] for row in expected}


def test_yanks_and_unyanks_match_the_dump(newest: Resources) -> None:
    expected = {}
    for version in small_dump()["versions"]:
        at, is_exact = version["updated_at"], version["updated_at"] >= UPDATED_AT_RELIABLE_SINCE
        if version["yanked"]:
            expected[version["id"]] = (at, is_exact, None)
        elif is_exact and at > version["created_at"] + timedelta(days=1):
            expected[version["id"]] = (at, False, at)
    columns = ("yanked_at", "yanked_at_exact", "unyanked_at")
    assert {row["version_id"]: tuple(row[c] for c in columns) for row in rows(newest, "yanks")} == expected
    assert sum(unyanked is not None for _, _, unyanked in expected.values()) == 1


def test_downloads_of_the_unfinished_day_are_dropped(newest: Resources) -> None:
    today = date.fromisoformat(KEY)
    daily = [d for d in small_dump()["version_downloads"] if d["date"] < today]
    found = [(row["date"], row["version_id"], row["downloads"]) for row in rows(newest, "downloads")]
    assert found == sorted((d["date"], d["version_id"], d["downloads"]) for d in daily)


def test_texts_match_the_dump_and_empty_ones_are_null(newest: Resources) -> None:
    dump = small_dump()
    found = {row["version_id"]: row for row in rows(newest, "texts")}
    for version in dump["versions"]:
        text = found.get(version["id"], {}).get("description")
        assert text == (version["description"] or None)
    assert "One\nper line" in {row["description"] for row in found.values()}
    assert [row["readme"] for row in found.values() if row["readme"] and row["readme"].startswith("# Alder")] == [
        README
    ]


UNUSUAL = ['quoted "name"', "a,b", "", "back\\slash", "NULL", "null", "{x}", " spaced ", "über\nzwei", '"', "\\"]
INSTANTS = [0, 1, 120, 123000, 123456, 500000, 999999]


def test_unusual_values_are_preserved(tmp_path: Path, one_advisory: Path) -> None:
    dump = small_dump()
    for version, micros in zip(dump["versions"], INSTANTS):
        version |= {"keywords": UNUSUAL, "categories": UNUSUAL[:1], "license": "", "links": None}
        version["created_at"] = version["created_at"].replace(microsecond=micros)
    dump["versions"][0] |= {"features": {'quoted "f"': [], "ü": ["dep:x"]}, "keywords": [*UNUSUAL, 'x"y', "\\."]}
    dump["dependencies"][0]["target"] = 'cfg(feature = "a\nb")'
    resources = loaded(tmp_path, zip_bytes(dump, NEWEST, SMALL_AT), one_advisory)
    found = rows(resources, "versions")
    for row, version in zip(found, dump["versions"]):
        same = ("created_at", "keywords", "categories", "license", "links")
        assert {c: row[c] for c in same} == {c: version[c] for c in same}
    assert found[0]["feature_names"] == sorted(dump["versions"][0]["features"])
    assert rows(resources, "dependencies")[0]["target"] == 'cfg(feature = "a\nb")'


def test_csv_rows_inside_a_readme_are_text(tmp_path: Path, one_advisory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An author must not add crates through a README, whatever the offset of a read buffer."""
    monkeypatch.setattr(csv_module, "MIN_BUFFER_BYTES", 500_000)
    monkeypatch.setitem(CSV_TABLES, "crates", replace(CSV_TABLES["crates"], max_record_bytes=120_000))
    dump = small_dump()
    columns = LAYOUTS[NEWEST].tables["crates"]
    forged = {**dict.fromkeys(columns, "x"), "created_at": "2015-01-13 09:41:20+00", "id": "9{}", "name": "forged{}"}
    line = ",".join(forged[c] for c in columns)
    for number, crate in enumerate(dump["crates"]):
        crate["readme"] = "\n".join(line.format(i, i) for i in range(2000 - number))
    more = [{**dump["crates"][0], "id": 100 + i, "name": f"more{i}"} for i in range(40)]
    dump["crates"] += more
    resources = loaded(tmp_path, zip_bytes(dump, NEWEST, SMALL_AT), one_advisory)
    assert [row["name"] for row in rows(resources, "crates")] == [crate["name"] for crate in dump["crates"]]
    shown = {row["crate_id"]: row["readme"] for row in rows(resources, "texts") if row["readme"]}
    assert shown == {crate["id"]: crate["readme"] for crate in dump["crates"][: -len(more)]}


def test_unknown_columns_and_tables_are_logged_and_ignored(
    tmp_path: Path,
    newest: Resources,
    one_advisory: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shape = LAYOUTS[NEWEST].with_column("versions", "mood").with_column("users", "a,b")
    monkeypatch.setitem(LAYOUTS, "next", replace(shape, tables={**shape.tables, "moods": ("id", "text")}))
    dump = small_dump()
    dump["versions"] = [{**v, "mood": "multi\nline, mood"} for v in dump["versions"]]
    dump["users"] = [{**u, "a,b": None} for u in dump["users"]]
    with caplog.at_level(logging.INFO):
        resources = loaded(
            tmp_path, zip_bytes({**dump, "moods": [{"id": 1, "text": "x"}]}, "next", SMALL_AT), one_advisory
        )
    logged = {record.getMessage() for record in caplog.records}
    assert {
        "data/versions.csv: unknown column mood is ignored",
        "data/users.csv: unknown column a,b is ignored",
        "unknown table data/moods.csv is ignored",
    } <= logged
    assert state(resources) == state(newest)


def assert_rejected(folder: Path, dump: bytes, advisory_db: Path, message: str) -> None:
    """The load raises BadInput with this message, and nothing is archived or published."""
    (folder / "dump").write_bytes(dump)
    resources = live_resources(folder / "data", folder / "dump", advisory_db)
    with pytest.raises(BadInput, match=message):
        load(resources)
    assert archive_of(resources).keys() == []
    assert resources.store.tables() == {}


@pytest.mark.parametrize(("table", "column"), [(t.name, c) for t in CSV_TABLES.values() for c in t.required])
def test_missing_required_column_is_an_error(table: str, column: str) -> None:
    header = [c for c in LAYOUTS[NEWEST].tables[table] if c != column]
    with pytest.raises(BadInput, match=rf"data/{table}\.csv: column {column} is missing \(found .*dump/layout\.py"):
        check_header(CSV_TABLES[table], header)


def test_missing_column_prevents_publication(
    tmp_path: Path, one_advisory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LAYOUTS, "next", LAYOUTS[NEWEST].without("versions", "yanked"))
    assert_rejected(
        tmp_path, zip_bytes(small_dump(), "next", SMALL_AT), one_advisory, r"data/versions\.csv: column yanked is miss"
    )


@pytest.mark.parametrize("archive", [zip_bytes, tar_gz_bytes])
def test_missing_table_prevents_publication(
    archive: Archive, tmp_path: Path, one_advisory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LAYOUTS, "next", LAYOUTS[NEWEST].without("crate_owners"))
    message = r"the dump has no data/crate_owners\.csv \(found .*dump/layout\.py"
    assert_rejected(tmp_path, archive(small_dump(), "next", SMALL_AT), one_advisory, message)


HEADERS = {
    "twice": (b"id,id,login\n", "a column is duplicated in id, id, login"),
    "twice but for case": (b"id,ID,login\n", "a column is duplicated in id, ID, login"),
    "nothing at all": (b"", "no header in"),
    "no line end": (b"id,login", "the last line has no line feed|no header in"),
    "not UTF-8": (b"id,login,\xff\n", "the header is invalid"),
    "nameless": (b"id,login,\n", "a column has no name"),
    "carriage returns": (b"id,login\r\n1,x\r\n", r"data/teams\.csv, line 1: a quote or a carriage return"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_invalid_header_is_rejected(name: str, tmp_path: Path, one_advisory: Path) -> None:
    header, message = HEADERS[name]
    tables = {**csv_tables(small_dump(), NEWEST), "teams": header}
    assert_rejected(tmp_path, pack(tables), one_advisory, message)


def test_columns_may_be_in_another_order(
    tmp_path: Path, newest: Resources, one_advisory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reversed_layout = Layout({table: tuple(reversed(columns)) for table, columns in LAYOUTS[NEWEST].tables.items()})
    monkeypatch.setitem(dumps.LAYOUTS, "reversed", reversed_layout)
    assert state(loaded(tmp_path, zip_bytes(small_dump(), "reversed", SMALL_AT), one_advisory)) == state(newest)


def test_tables_may_be_empty(tmp_path: Path, one_advisory: Path) -> None:
    nothing: Dump = {}
    resources = loaded(tmp_path, zip_bytes(nothing, NEWEST, SMALL_AT), one_advisory)
    assert {t: len(rows(resources, t)) for t, _ in state(resources) if not t.startswith("rejected")} == {
        **dict.fromkeys(("crates", "versions", "yanks", "dependencies", "owners", "downloads", "texts"), 0),
        "advisories": 1,
        "quarantine": 0,
    }


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("2026-11-20T02:15:07.123456789Z", datetime(2026, 11, 20, 2, 15, 7, 123456)),
        ("2026-11-20T02:15:07.1Z", datetime(2026, 11, 20, 2, 15, 7, 100000)),
        ("2026-11-20T02:15:07Z", datetime(2026, 11, 20, 2, 15, 7)),
        ("2026-11-20T02:15:07+00:00", datetime(2026, 11, 20, 2, 15, 7)),
        ("2026-11-20T01:15:07.5-01:00", datetime(2026, 11, 20, 2, 15, 7, 500000)),
    ],
)
def test_timestamp_of_the_dump_is_parsed(stamp: str, at: datetime, tmp_path: Path, one_advisory: Path) -> None:
    (tmp_path / "dump").write_bytes(pack({}, stamp))
    assert source_of(live_resources(tmp_path, tmp_path / "dump", one_advisory)).newest().taken_at == at


def test_archived_snapshot_needs_no_dump(newest: Resources, loaded_dump: Path, one_advisory: Path) -> None:
    without_dump = source_of(live_resources(loaded_dump, loaded_dump / "nowhere", one_advisory))
    assert without_dump.fetch(KEY, silent) == newest.source.require(KEY)
