"""Invalid rows of a dump go to quarantine with file, line and reason; the other rows are loaded."""

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from assets.registry.repeats import mark_repeats
from pipeline_defs.build import Resources
from resources.common.errors import BadInput
from testing.dumps import csv_tables, small_dump
from testing.live_source import KEY, archive_of, line_ends, live_resources, load, pack, rows, state

NEWEST = "2026-08"
AFTER = datetime(2026, 11, 20, 2, 15, 8)


@dataclass(frozen=True)
class InvalidRow:
    """A valid row of `file` with changes, its position `at` among the others, and the reason for its rejection."""

    file: str
    changes: dict[str, object]
    reason: str
    at: int = 20


TABLE_OF = {
    "crates": "crates",
    "versions": "versions",
    "dependencies": "dependencies",
    "crate_owners": "owners",
    "version_downloads": "downloads",
}
INVALID = {
    "crate: id": InvalidRow("crates", {"id": "x1"}, 'id: "x1" is not a number'),
    "crate: no id": InvalidRow("crates", {"id": None, "name": "idless"}, 'id: "null" is not a number'),
    "crate: name": InvalidRow("crates", {"id": 201, "name": "Bad Name!"}, 'name: "Bad Name!" is not a crate name'),
    "crate: no name": InvalidRow("crates", {"id": 202, "name": None}, 'name: "null" is not a crate name'),
    "crate: time": InvalidRow(
        "crates", {"id": 203, "name": "c3", "created_at": "soon"}, 'created_at: "soon" is not a time'
    ),
    "crate: after": InvalidRow(
        "crates", {"id": 204, "name": "c4", "created_at": AFTER}, "created_at: .* is after the snap"
    ),
    "crate: name taken": InvalidRow(
        "crates",
        {"id": 205, "name": "ALDER-derive", "created_at": AFTER.replace(day=1)},
        "ALDER-derive. differs from",
    ),
    "crate: id twice": InvalidRow("crates", {}, 'id: appears more than once|name: "birch-sys" differs from', at=1),
    "version: id": InvalidRow("versions", {"id": "12e5x"}, 'id: "12e5x" is not a number'),
    "version: crate": InvalidRow("versions", {"id": 902, "crate_id": 999}, "crate_id: 999 is not a crate of the dump"),
    "version: no crate": InvalidRow(
        "versions", {"id": 903, "crate_id": None}, "crate_id: null is not a crate of the dump"
    ),
    "version: num": InvalidRow("versions", {"id": 904, "num": "1.2"}, 'num: "1.2" is not a version'),
    "version: bool": InvalidRow("versions", {"id": 905, "yanked": "yes"}, 'yanked: "yes" is neither t nor f'),
    "version: no bool": InvalidRow("versions", {"id": 906, "yanked": None}, 'yanked: "null" is neither t nor f'),
    "version: has_lib": InvalidRow("versions", {"id": 907, "has_lib": "T"}, 'has_lib: "T" is neither t nor f'),
    "version: time": InvalidRow(
        "versions", {"id": 908, "created_at": "2024-02-30 00:00:00+00"}, "created_at: .* is not a time"
    ),
    "version: zone": InvalidRow(
        "versions", {"id": 909, "created_at": "2024-02-20 00:00:00-03"}, "created_at: .* is not a time"
    ),
    "version: infinity": InvalidRow(
        "versions", {"id": 910, "updated_at": "-infinity"}, 'updated_at: "-infinity" is not a ti'
    ),
    "version: after": InvalidRow("versions", {"id": 911, "created_at": AFTER}, "is after the snapshot"),
    "version: no JSON": InvalidRow("versions", {"id": 912, "features": "{std"}, "features: is not a JSON object"),
    "version: JSON list": InvalidRow("versions", {"id": 913, "features": '["std"]'}, "features: is not a JSON object"),
    "version: keywords": InvalidRow("versions", {"id": 914, "keywords": "a,b"}, 'keywords: "a,b" is not an array'),
    "version: size": InvalidRow("versions", {"id": 915, "crate_size": "big"}, 'crate_size: "big" is not a number'),
    "version: publisher": InvalidRow(
        "versions", {"id": 916, "published_by": "me"}, 'published_by: "me" is not a number'
    ),
    "version: id twice": InvalidRow("versions", {}, "id: appears more than once; the first row is used", at=7),
    "dependency: id": InvalidRow("dependencies", {"id": "no"}, 'id: "no" is not a number'),
    "dependency: version": InvalidRow(
        "dependencies", {"id": 9002, "version_id": 999}, "version_id: 999 is not a version of"
    ),
    "dependency: crate": InvalidRow(
        "dependencies", {"id": 9003, "crate_id": 999}, "crate_id: 999 is not a crate of the dump"
    ),
    "dependency: kind": InvalidRow("dependencies", {"id": 9004, "kind": 7}, 'kind: "7" is not one of 0'),
    "dependency: no kind": InvalidRow("dependencies", {"id": 9005, "kind": None}, 'kind: "null" is not one of 0'),
    "dependency: bool": InvalidRow(
        "dependencies", {"id": 9006, "optional": "maybe"}, 'optional: "maybe" is neither t nor f'
    ),
    "dependency: no bool": InvalidRow(
        "dependencies", {"id": 9007, "default_features": None}, "default_features: .* neither"
    ),
    "dependency: req": InvalidRow("dependencies", {"id": 9008, "req": None}, "req: is missing"),
    "dependency: id twice": InvalidRow("dependencies", {}, "id: appears more than once", at=11),
    # of two rows with one id the invalid one is rejected, whatever their order
    "dependency: bad twin": InvalidRow("dependencies", {"id": 1013, "kind": 8}, 'kind: "8" is not one of 0', at=13),
    "owner: kind": InvalidRow(
        "crate_owners", {"owner_kind": 555}, 'owner_kind: "555" is neither 0 .user. nor 1 .team.', at=5
    ),
    "owner: crate": InvalidRow("crate_owners", {"crate_id": 998}, "crate_id: 998 is not a crate of the dump", at=5),
    "owner: id": InvalidRow("crate_owners", {"owner_id": "him"}, 'owner_id: "him" is not a number', at=5),
    "owner: time": InvalidRow("crate_owners", {"owner_id": 77, "created_at": ""}, 'created_at: "" is not a time', at=5),
    "owner: after": InvalidRow("crate_owners", {"owner_id": 78, "created_at": AFTER}, "is after the snapshot", at=5),
    "owner: twice": InvalidRow("crate_owners", {}, "crate_id, kind, owner_id: appears more than once", at=6),
    "downloads: negative": InvalidRow(
        "version_downloads", {"downloads": -5, "date": date(2026, 9, 1)}, 'downloads: "-5" is not'
    ),
    "downloads: count": InvalidRow(
        "version_downloads", {"downloads": "many", "date": date(2026, 9, 2)}, 'downloads: "many" is'
    ),
    "downloads: date": InvalidRow("version_downloads", {"date": "2026-02-30"}, 'date: "2026-02-30" is not a date'),
    "downloads: early": InvalidRow(
        "version_downloads", {"date": date(2014, 10, 31)}, "date: 2014-10-31 is not between the"
    ),
    "downloads: late": InvalidRow(
        "version_downloads", {"date": date(2026, 11, 21)}, "date: 2026-11-21 is not between the"
    ),
    "downloads: infinity": InvalidRow("version_downloads", {"date": "infinity"}, 'date: "infinity" is not a date'),
    "downloads: version": InvalidRow(
        "version_downloads", {"version_id": 999}, "version_id: 999 is not a version of the dump"
    ),
    "downloads: id": InvalidRow("version_downloads", {"version_id": "v"}, 'version_id: "v" is not a number'),
    "downloads: twice": InvalidRow("version_downloads", {}, "date, version_id: appears more than once", at=30),
}
# unreadable records: text and reason
UNREADABLE = {
    "too few columns": (b'7,"two\nlines"', "the record has fewer columns than the header"),
    "far too few": (b"8", "the record has fewer columns than the header"),
    "too many columns": (b",".join([b"9"] * 40), "the record has more columns than the header"),
    "quote in a field": (b'{},"a"b,' + b",".join([b""] * 24), "the record has a quote inside a field"),
    "not UTF-8": (
        b"{},{},11,4737,2014-12-02 09:41:20+00,,,10,2015,{},,,990,{},MIT,,0.0.1,0.0.1,,\xff\xfe,,,"
        b"2017-11-30 18:54:31+00,t,,",
        "the record is not UTF-8",
    ),
}


def invalid_tables() -> dict[str, bytes]:
    """The small dump with all of INVALID, and with UNREADABLE in the middle of its versions."""
    clean, dump = small_dump(), small_dump()
    for bad in INVALID.values():
        valid = clean[bad.file]
        row = {**valid[min(bad.at, len(valid) - 1)], **bad.changes}
        dump[bad.file].insert(bad.at if bad.changes else len(dump[bad.file]), row)
    tables = csv_tables(dump, NEWEST)
    before = len(csv_tables({**dump, "versions": dump["versions"][:12]}, NEWEST)["versions"])
    middle = b"".join(text + b"\n" for text, _ in UNREADABLE.values())
    return {**tables, "versions": tables["versions"][:before] + middle + tables["versions"][before:]}


@dataclass(frozen=True)
class Loaded:
    """The invalid dump after its load: its CSV files, the quarantine and the tables."""

    tables: dict[str, bytes]
    quarantine: list[dict]
    resources: Resources


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, one_advisory: Path) -> Loaded:
    folder = tmp_path_factory.mktemp("invalid")
    tables = invalid_tables()
    (folder / "dump").write_bytes(pack(tables))
    resources = live_resources(folder / "data", folder / "dump", one_advisory)
    load(resources)
    return Loaded(tables, rows(resources, "quarantine"), resources)


def test_valid_rows_are_unaffected(loaded: Loaded, loaded_dump: Path, one_advisory: Path) -> None:
    clean = state(live_resources(loaded_dump, loaded_dump, one_advisory))
    found = state(loaded.resources)
    published = {place for place in clean if place[0] != "quarantine" and not place[0].startswith("rejected")}
    assert {place for place in published if found[place] != clean[place]} == set()
    # a duplicated crate and a duplicated version have two texts each
    texts = [row["reason"] for row in loaded.quarantine if row["table_name"] == "texts"]
    assert texts == ["version_id: appears more than once; the first row is used"] * 2
    assert len(loaded.quarantine) == len(INVALID) + len(UNREADABLE) + len(texts)
    assert [(row["table_name"], row["number"]) for row in loaded.quarantine] == sorted(
        (row["table_name"], row["number"]) for row in loaded.quarantine
    )


@pytest.mark.parametrize("name", INVALID)
def test_invalid_row_is_reported_with_its_line(name: str, loaded: Loaded) -> None:
    bad, file = INVALID[name], f"data/{INVALID[name].file}.csv"
    found = [row for row in loaded.quarantine if row["file"] == file and re.search(bad.reason, row["reason"])]
    changes = bad.changes or {k: v for k, v in small_dump()[bad.file][bad.at].items() if k.endswith("id")}
    texts = [
        f"{v:%Y-%m-%d %H:%M:%S}+00" if isinstance(v, datetime) else str(v) for v in changes.values() if v is not None
    ]
    # the last of them, if the row is duplicated
    line = line_ends(loaded.tables[bad.file], texts)[-1]
    [row] = [row for row in found if (row["table_name"], row["line"]) == (TABLE_OF[bad.file], line)]
    assert json.loads(row["source_row"])


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_record_is_reported_with_its_line(name: str, loaded: Loaded) -> None:
    text, reason = UNREADABLE[name]
    at = loaded.tables["versions"].index(text + b"\n") + len(text)
    line = loaded.tables["versions"][:at].count(b"\n") + 1
    found = [row for row in loaded.quarantine if row["line"] == line and row["file"] == "data/versions.csv"]
    assert [row["reason"] for row in found] == [reason]
    assert json.loads(found[0]["source_row"])["record"].startswith(text.decode(errors="replace")[:5])


def test_line_numbers_count_earlier_multiline_records(loaded: Loaded) -> None:
    """There are multi-line and unreadable records before the last invalid version."""
    before = loaded.tables["versions"].split(b"\n912,")[0]
    assert before.count(b"\nper line") > 1
    [row] = [row for row in loaded.quarantine if row["reason"].startswith("id: appears") and "versions" in row["file"]]
    last = small_dump()["versions"][7]
    assert [row["line"]] == line_ends(loaded.tables["versions"], [str(last["id"]), last["num"]])[-1:]


def with_invalid_downloads(good: int, bad: int) -> bytes:
    """A dump with `good` valid and `bad` invalid rows of downloads."""
    tables = csv_tables({**small_dump(), "version_downloads": []}, NEWEST)
    days = [f"2026-{month:02}-{day:02}" for month in (9, 10) for day in range(1, 29)]
    versions = [v["id"] for v in small_dump()["versions"]]
    lines = [f"{days[i % 56]},1,{versions[i // 56 % 40]}" for i in range(min(good, 56 * 40))]
    lines += [
        f"{date(2015 + i // 11200, 1 + i // 1120 % 10, 1 + i // 40 % 28)},2,{versions[i % 40]}"
        for i in range(good - len(lines))
    ]
    lines += [f"2026-09-01,-{i + 1},{versions[0]}" for i in range(bad)]
    return pack({**tables, "version_downloads": ("date,downloads,version_id\n" + "\n".join(lines) + "\n").encode()})


@pytest.mark.parametrize(
    ("good", "bad", "is_rejected"), [(0, 100, False), (0, 101, True), (109_000, 109, False), (99_000, 101, True)]
)
def test_too_many_invalid_rows_stop_the_load(
    good: int, bad: int, is_rejected: bool, tmp_path: Path, one_advisory: Path
) -> None:
    (tmp_path / "dump").write_bytes(with_invalid_downloads(good, bad))
    resources = live_resources(tmp_path / "data", tmp_path / "dump", one_advisory)
    load(resources, KEY, ["crates", "versions"])
    before = state(resources)
    if is_rejected:
        message = rf'downloads: {bad} of {good + bad:,} rows break a contract, such as: downloads: "-{bad}" is not'
        with pytest.raises(BadInput, match=message):
            load(resources, KEY, ["downloads"])
        assert state(resources) == before
    else:
        load(resources, KEY, ["downloads"])
        assert len(rows(resources, "downloads")) == good
        assert len(rows(resources, "rejected_downloads")) == bad


def test_too_many_unreadable_records_stop_the_load(tmp_path: Path, one_advisory: Path) -> None:
    tables = csv_tables(small_dump(), NEWEST)
    (tmp_path / "dump").write_bytes(pack({**tables, "crate_owners": tables["crate_owners"] + b"1,2\n" * 101}))
    resources = live_resources(tmp_path / "data", tmp_path / "dump", one_advisory)
    with pytest.raises(BadInput, match=r"owners: 101 of 15 rows break .* the record has fewer columns than the header"):
        load(resources, KEY, ["crates", "versions", "owners"])
    assert ("owners", KEY) not in state(resources)


UNCLOSED = {
    "never closed": (b'{},999,"never closed,', "a quote is opened, and closed at an invalid place in line 33"),
    "the last": (b'{},999,"the last,', "a quote is opened and never closed"),
    "inside a field": (b'{},999,never"opened,', "a quote or a carriage return is at an invalid place"),
    "carriage return": (b"{},999,a\rb,", "a quote or a carriage return is at an invalid place"),
}


@pytest.mark.parametrize("name", UNCLOSED)
def test_unbalanced_quote_rejects_the_dump(name: str, tmp_path: Path, one_advisory: Path) -> None:
    """After it, records cannot be distinguished from text, so no row of the file is loaded."""
    text, reason = UNCLOSED[name]
    tables = csv_tables(small_dump(), NEWEST)
    lines = tables["dependencies"].split(b"\n")
    rest = [b""] if name == "the last" else lines[30:]
    (tmp_path / "dump").write_bytes(pack({**tables, "dependencies": b"\n".join([*lines[:30], text, *rest])}))
    resources = live_resources(tmp_path / "data", tmp_path / "dump", one_advisory)
    with pytest.raises(BadInput, match=rf"data/dependencies\.csv, line 31: {reason}.*use another dump"):
        load(resources)
    assert archive_of(resources).keys() == []


def test_skipped_record_is_detected_by_the_record_count(tmp_path: Path, one_advisory: Path) -> None:
    """Two stray quotes cancel out: only the number of records reveals them."""
    tables = csv_tables(small_dump(), NEWEST)
    lines = tables["dependencies"].split(b"\n")
    stray = b'11,t,,{},%d,0,f,^1,a"b,101'
    changed = b"\n".join([*lines[:30], stray % 9100, *lines[30:40], stray % 9101, *lines[40:]])
    (tmp_path / "dump").write_bytes(pack({**tables, "dependencies": changed}))
    resources = live_resources(tmp_path / "data", tmp_path / "dump", one_advisory)
    message = r"dependencies\.csv has \d+ records, but DuckDB finds \d+ \(line 31: a quote"
    with pytest.raises(BadInput, match=message):
        load(resources)
    assert ("dependencies", KEY) not in state(resources)


def test_text_that_is_not_utf_8_is_reported(tmp_path: Path, one_advisory: Path) -> None:
    """A README is decoded only by the query of `texts`."""
    tables = csv_tables(small_dump(), NEWEST)
    assert b"# hazel" in tables["crates"]
    (tmp_path / "dump").write_bytes(pack({**tables, "crates": tables["crates"].replace(b"# hazel", b"# \xff")}))
    resources = live_resources(tmp_path / "data", tmp_path / "dump", one_advisory)
    load(resources)
    assert "hazel" in {row["name"] for row in rows(resources, "crates")}
    [row] = rows(resources, "quarantine")
    assert (row["table_name"], row["file"], row["reason"]) == ("texts", "data/crates.csv", "the record is not UTF-8")


def test_repeats_of_valid_rows_are_found_across_batches() -> None:
    reason = "id: appears more than once; the first row is used"
    schema = pa.schema({"id": pa.int64(), "rejected": pa.string()})
    batches = [
        pa.RecordBatch.from_pydict({"id": ids, "rejected": rejected}, schema)
        for ids, rejected in [
            ([1, 1, 2], [None, None, "bad"]),
            ([], []),
            ([2, 2], ["bad", None]),
            ([2, 2], ["bad", None]),
            ([None, None], [None, "bad"]),
            ([3], [None]),
        ]
    ]
    found = [row["rejected"] for batch in mark_repeats(batches, ["id"]) for row in batch.to_pylist()]
    assert found == [None, reason, "bad", "bad", None, "bad", reason, None, "bad", None]


def test_duckdb_error_is_not_reported_as_a_full_disk(loaded_dump: Path, one_advisory: Path) -> None:
    from assets.schemas.registry import QUARANTINE

    resources = live_resources(loaded_dump, loaded_dump, one_advisory)
    before = state(resources)
    query = """select 'x' as table_name, i as number, 'f' as file, 1::bigint as line, 'r' as source_row,
        if(i = 200000, error('what cannot be read'), 'r') as reason from range(300000) as r(i)"""
    with duckdb.connect() as con, pytest.raises(BadInput, match="what cannot be read"):
        resources.store.publish(QUARANTINE, KEY, con.sql(query).to_arrow_reader())
    assert state(resources) == before
