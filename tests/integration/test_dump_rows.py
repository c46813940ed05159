"""Bad rows of a dump go to quarantine with their file, line and reason, and the other rows stay."""

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
class Bad:
    """A row of `file` that differs from a good one, where it stands among the others, and why it must be refused."""

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
BAD = {
    "crate: id": Bad("crates", {"id": "x1"}, 'id: "x1" is not a number'),
    "crate: no id": Bad("crates", {"id": None, "name": "idless"}, 'id: "null" is not a number'),
    "crate: name": Bad("crates", {"id": 201, "name": "Bad Name!"}, 'name: "Bad Name!" is not a crate name'),
    "crate: no name": Bad("crates", {"id": 202, "name": None}, 'name: "null" is not a crate name'),
    "crate: time": Bad("crates", {"id": 203, "name": "c3", "created_at": "soon"}, 'created_at: "soon" is not a time'),
    "crate: after": Bad("crates", {"id": 204, "name": "c4", "created_at": AFTER}, "created_at: .* is after the snap"),
    "crate: name taken": Bad(
        "crates", {"id": 205, "name": "ALDER-derive", "created_at": AFTER.replace(day=1)}, "ALDER-derive. is another"
    ),
    "crate: id twice": Bad("crates", {}, 'id: appears more than once|name: "birch-sys" is another', at=1),
    "version: id": Bad("versions", {"id": "12e5x"}, 'id: "12e5x" is not a number'),
    "version: crate": Bad("versions", {"id": 902, "crate_id": 999}, "crate_id: 999 is not a crate of the dump"),
    "version: no crate": Bad("versions", {"id": 903, "crate_id": None}, "crate_id: null is not a crate of the dump"),
    "version: num": Bad("versions", {"id": 904, "num": "1.2"}, 'num: "1.2" is not a version'),
    "version: bool": Bad("versions", {"id": 905, "yanked": "yes"}, 'yanked: "yes" is neither t nor f'),
    "version: no bool": Bad("versions", {"id": 906, "yanked": None}, 'yanked: "null" is neither t nor f'),
    "version: has_lib": Bad("versions", {"id": 907, "has_lib": "T"}, 'has_lib: "T" is neither t nor f'),
    "version: time": Bad(
        "versions", {"id": 908, "created_at": "2024-02-30 00:00:00+00"}, "created_at: .* is not a time"
    ),
    "version: zone": Bad(
        "versions", {"id": 909, "created_at": "2024-02-20 00:00:00-03"}, "created_at: .* is not a time"
    ),
    "version: infinity": Bad("versions", {"id": 910, "updated_at": "-infinity"}, 'updated_at: "-infinity" is not a ti'),
    "version: after": Bad("versions", {"id": 911, "created_at": AFTER}, "is after the snapshot"),
    "version: no JSON": Bad("versions", {"id": 912, "features": "{std"}, "features: is not a JSON object"),
    "version: JSON list": Bad("versions", {"id": 913, "features": '["std"]'}, "features: is not a JSON object"),
    "version: keywords": Bad("versions", {"id": 914, "keywords": "a,b"}, 'keywords: "a,b" is not an array'),
    "version: size": Bad("versions", {"id": 915, "crate_size": "big"}, 'crate_size: "big" is not a number'),
    "version: publisher": Bad("versions", {"id": 916, "published_by": "me"}, 'published_by: "me" is not a number'),
    "version: id twice": Bad("versions", {}, "id: appears more than once; the first row is used", at=7),
    "dependency: id": Bad("dependencies", {"id": "no"}, 'id: "no" is not a number'),
    "dependency: version": Bad("dependencies", {"id": 9002, "version_id": 999}, "version_id: 999 is not a version of"),
    "dependency: crate": Bad("dependencies", {"id": 9003, "crate_id": 999}, "crate_id: 999 is not a crate of the dump"),
    "dependency: kind": Bad("dependencies", {"id": 9004, "kind": 7}, 'kind: "7" is not one of 0'),
    "dependency: no kind": Bad("dependencies", {"id": 9005, "kind": None}, 'kind: "null" is not one of 0'),
    "dependency: bool": Bad("dependencies", {"id": 9006, "optional": "maybe"}, 'optional: "maybe" is neither t nor f'),
    "dependency: no bool": Bad("dependencies", {"id": 9007, "default_features": None}, "default_features: .* neither"),
    "dependency: req": Bad("dependencies", {"id": 9008, "req": None}, "req: is missing"),
    "dependency: id twice": Bad("dependencies", {}, "id: appears more than once", at=11),
    # of two rows with one id the bad one goes, wherever it stands
    "dependency: bad twin": Bad("dependencies", {"id": 1013, "kind": 8}, 'kind: "8" is not one of 0', at=13),
    "owner: kind": Bad("crate_owners", {"owner_kind": 555}, 'owner_kind: "555" is neither 0 .user. nor 1 .team.', at=5),
    "owner: crate": Bad("crate_owners", {"crate_id": 998}, "crate_id: 998 is not a crate of the dump", at=5),
    "owner: id": Bad("crate_owners", {"owner_id": "him"}, 'owner_id: "him" is not a number', at=5),
    "owner: time": Bad("crate_owners", {"owner_id": 77, "created_at": ""}, 'created_at: "" is not a time', at=5),
    "owner: after": Bad("crate_owners", {"owner_id": 78, "created_at": AFTER}, "is after the snapshot", at=5),
    "owner: twice": Bad("crate_owners", {}, "crate_id, kind, owner_id: appears more than once", at=6),
    "downloads: negative": Bad(
        "version_downloads", {"downloads": -5, "date": date(2026, 9, 1)}, 'downloads: "-5" is not'
    ),
    "downloads: count": Bad(
        "version_downloads", {"downloads": "many", "date": date(2026, 9, 2)}, 'downloads: "many" is'
    ),
    "downloads: date": Bad("version_downloads", {"date": "2026-02-30"}, 'date: "2026-02-30" is not a date'),
    "downloads: early": Bad("version_downloads", {"date": date(2014, 10, 31)}, "date: 2014-10-31 is not between the"),
    "downloads: late": Bad("version_downloads", {"date": date(2026, 11, 21)}, "date: 2026-11-21 is not between the"),
    "downloads: infinity": Bad("version_downloads", {"date": "infinity"}, 'date: "infinity" is not a date'),
    "downloads: version": Bad("version_downloads", {"version_id": 999}, "version_id: 999 is not a version of the dump"),
    "downloads: id": Bad("version_downloads", {"version_id": "v"}, 'version_id: "v" is not a number'),
    "downloads: twice": Bad("version_downloads", {}, "date, version_id: appears more than once", at=30),
}
# what is no record at all: its text, and why
BROKEN = {
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


def spoilt_tables() -> dict[str, bytes]:
    """The small dump with all of BAD, and BROKEN in the middle of its versions."""
    clean, dump = small_dump(), small_dump()
    for bad in BAD.values():
        of = clean[bad.file]
        row = {**of[min(bad.at, len(of) - 1)], **bad.changes}
        dump[bad.file].insert(bad.at if bad.changes else len(dump[bad.file]), row)
    tables = csv_tables(dump, NEWEST)
    before = len(csv_tables({**dump, "versions": dump["versions"][:12]}, NEWEST)["versions"])
    middle = b"".join(text + b"\n" for text, _ in BROKEN.values())
    return {**tables, "versions": tables["versions"][:before] + middle + tables["versions"][before:]}


@dataclass(frozen=True)
class Spoilt:
    """What came of the spoilt dump: its CSV files, the quarantine, and the tables."""

    tables: dict[str, bytes]
    quarantine: list[dict]
    resources: Resources


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory, one_advisory: Path) -> Spoilt:
    folder = tmp_path_factory.mktemp("spoilt")
    tables = spoilt_tables()
    (folder / "dump").write_bytes(pack(tables))
    resources = live_resources(folder / "data", folder / "dump", one_advisory)
    load(resources)
    return Spoilt(tables, rows(resources, "quarantine"), resources)


def test_other_rows_stay(spoilt: Spoilt, loaded_dump: Path, one_advisory: Path) -> None:
    clean = state(live_resources(loaded_dump, loaded_dump, one_advisory))
    found = state(spoilt.resources)
    served = {place for place in clean if place[0] != "quarantine" and not place[0].startswith("rejected")}
    assert {place for place in served if found[place] != clean[place]} == set()
    # a crate and a version that stand twice have two texts
    texts = [row["reason"] for row in spoilt.quarantine if row["table_name"] == "texts"]
    assert texts == ["version_id: appears more than once; the first row is used"] * 2
    assert len(spoilt.quarantine) == len(BAD) + len(BROKEN) + len(texts)
    assert [(row["table_name"], row["number"]) for row in spoilt.quarantine] == sorted(
        (row["table_name"], row["number"]) for row in spoilt.quarantine
    )


@pytest.mark.parametrize("name", BAD)
def test_bad_row_is_told_with_its_line(name: str, spoilt: Spoilt) -> None:
    bad, file = BAD[name], f"data/{BAD[name].file}.csv"
    found = [row for row in spoilt.quarantine if row["file"] == file and re.search(bad.reason, row["reason"])]
    given = bad.changes or {k: v for k, v in small_dump()[bad.file][bad.at].items() if k.endswith("id")}
    texts = [
        f"{v:%Y-%m-%d %H:%M:%S}+00" if isinstance(v, datetime) else str(v) for v in given.values() if v is not None
    ]
    # the last of them, where a row stands twice
    line = line_ends(spoilt.tables[bad.file], texts)[-1]
    [row] = [row for row in found if (row["table_name"], row["line"]) == (TABLE_OF[bad.file], line)]
    assert json.loads(row["source_row"])


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_record_is_told_with_its_line(name: str, spoilt: Spoilt) -> None:
    text, reason = BROKEN[name]
    at = spoilt.tables["versions"].index(text + b"\n") + len(text)
    line = spoilt.tables["versions"][:at].count(b"\n") + 1
    found = [row for row in spoilt.quarantine if row["line"] == line and row["file"] == "data/versions.csv"]
    assert [row["reason"] for row in found] == [reason]
    assert json.loads(found[0]["source_row"])["record"].startswith(text.decode(errors="replace")[:5])


def test_lines_count_what_comes_before(spoilt: Spoilt) -> None:
    """There are records of several lines, and broken ones, before the last bad version."""
    before = spoilt.tables["versions"].split(b"\n912,")[0]
    assert before.count(b'"One\nper line"') > 1 or b"\nper line" in spoilt.tables["versions"]
    [row] = [row for row in spoilt.quarantine if row["reason"].startswith("id: stands") and "versions" in row["file"]]
    last = small_dump()["versions"][7]
    assert [row["line"]] == line_ends(spoilt.tables["versions"], [str(last["id"]), last["num"]])[-1:]


def with_bad_downloads(good: int, bad: int) -> bytes:
    """A dump with so many rows of downloads."""
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
    ("good", "bad", "is_refused"), [(0, 100, False), (0, 101, True), (109_000, 109, False), (99_000, 101, True)]
)
def test_too_many_bad_rows_stop_the_load(
    good: int, bad: int, is_refused: bool, tmp_path: Path, one_advisory: Path
) -> None:
    (tmp_path / "dump").write_bytes(with_bad_downloads(good, bad))
    resources = live_resources(tmp_path / "data", tmp_path / "dump", one_advisory)
    load(resources, KEY, ["crates", "versions"])
    before = state(resources)
    if is_refused:
        message = rf'downloads: {bad} of {good + bad:,} rows break a contract, such as: downloads: "-{bad}" is not'
        with pytest.raises(BadInput, match=message):
            load(resources, KEY, ["downloads"])
        assert state(resources) == before
    else:
        load(resources, KEY, ["downloads"])
        assert len(rows(resources, "downloads")) == good
        assert len(rows(resources, "rejected_downloads")) == bad


def test_too_many_broken_records_stop_the_load(tmp_path: Path, one_advisory: Path) -> None:
    tables = csv_tables(small_dump(), NEWEST)
    (tmp_path / "dump").write_bytes(pack({**tables, "crate_owners": tables["crate_owners"] + b"1,2\n" * 101}))
    resources = live_resources(tmp_path / "data", tmp_path / "dump", one_advisory)
    with pytest.raises(BadInput, match=r"owners: 101 of 15 rows break .* the record has fewer columns than the header"):
        load(resources, KEY, ["crates", "versions", "owners"])
    assert ("owners", KEY) not in state(resources)


UNCLOSED = {
    "never closed": (b'{},999,"never closed,', "a quote is opened that is closed in line 33 where none can be"),
    "the last": (b'{},999,"the last,', "a quote is opened and never closed"),
    "inside a field": (b'{},999,never"opened,', "a quote or a carriage return stands where none can"),
    "carriage return": (b"{},999,a\rb,", "a quote or a carriage return stands where none can"),
}


@pytest.mark.parametrize("name", UNCLOSED)
def test_quote_that_makes_the_rest_ambiguous_is_refused(name: str, tmp_path: Path, one_advisory: Path) -> None:
    """From there on nobody can tell records from text: no row of the file is to be trusted."""
    text, reason = UNCLOSED[name]
    tables = csv_tables(small_dump(), NEWEST)
    lines = tables["dependencies"].split(b"\n")
    rest = [b""] if name == "the last" else lines[30:]
    (tmp_path / "dump").write_bytes(pack({**tables, "dependencies": b"\n".join([*lines[:30], text, *rest])}))
    resources = live_resources(tmp_path / "data", tmp_path / "dump", one_advisory)
    with pytest.raises(BadInput, match=rf"data/dependencies\.csv, line 31: {reason}.*take another dump"):
        load(resources)
    assert archive_of(resources).keys() == []


def test_record_that_nobody_saw_is_missed(tmp_path: Path, one_advisory: Path) -> None:
    """Two stray quotes cancel out: only the number of records gives them away."""
    tables = csv_tables(small_dump(), NEWEST)
    lines = tables["dependencies"].split(b"\n")
    stray = b'11,t,,{},%d,0,f,^1,a"b,101'
    spoilt = b"\n".join([*lines[:30], stray % 9100, *lines[30:40], stray % 9101, *lines[40:]])
    (tmp_path / "dump").write_bytes(pack({**tables, "dependencies": spoilt}))
    resources = live_resources(tmp_path / "data", tmp_path / "dump", one_advisory)
    message = r"dependencies\.csv has \d+ records, of which \d+ can be told apart \(line 31: a quote"
    with pytest.raises(BadInput, match=message):
        load(resources)
    assert ("dependencies", KEY) not in state(resources)


def test_text_that_is_not_utf_8_is_told(tmp_path: Path, one_advisory: Path) -> None:
    """A README is decoded only where it is read: in `texts`."""
    tables = csv_tables(small_dump(), NEWEST)
    assert b"# hazel" in tables["crates"]
    (tmp_path / "dump").write_bytes(pack({**tables, "crates": tables["crates"].replace(b"# hazel", b"# \xff")}))
    resources = live_resources(tmp_path / "data", tmp_path / "dump", one_advisory)
    load(resources)
    assert "hazel" in {row["name"] for row in rows(resources, "crates")}
    [row] = rows(resources, "quarantine")
    assert (row["table_name"], row["file"], row["reason"]) == ("texts", "data/crates.csv", "the record is not UTF-8")


def test_repeats_are_of_good_rows_across_batches() -> None:
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


def test_failure_of_duckdb_on_the_way_is_no_full_disk(loaded_dump: Path, one_advisory: Path) -> None:
    from assets.schemas.registry import QUARANTINE

    resources = live_resources(loaded_dump, loaded_dump, one_advisory)
    before = state(resources)
    query = """select 'x' as table_name, i as number, 'f' as file, 1::bigint as line, 'r' as source_row,
        if(i = 200000, error('what cannot be read'), 'r') as reason from range(300000) as r(i)"""
    with duckdb.connect() as con, pytest.raises(BadInput, match="what cannot be read"):
        resources.store.publish(QUARANTINE, KEY, con.sql(query).to_arrow_reader())
    assert state(resources) == before
