"""Hostile, broken and changing archives: a clear error, nothing half-loaded, and the last good snapshot still served.

And few bytes: what is here already, or no table needs, is not fetched.
"""

import gzip
import io
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline_defs.build import Resources
from resources.common.errors import BadInput, CannotWrite
from resources.common.http.responses import SourceChanged
from resources.common.settings import PROJECT
from resources.crates_io.dump.fetch import fetch_tables
from resources.crates_io.dump.file_bytes import LocalBytes
from resources.crates_io.dump.layout import CSV_TABLES
from resources.crates_io.dump.members import MOST_BYTES
from resources.crates_io.dump.zip_archive import TAIL
from resources.registry.snapshot_archive import SnapshotArchive
from testing.crates_io_server import CratesIoServer, Fault
from testing.dumps import SMALL_AT, Dump, csv_tables, small_dump, tar_gz_bytes, zip_bytes
from testing.live_source import (
    KEY,
    NEXT_AT,
    NEXT_KEY,
    archive_of,
    live_resources,
    load,
    pack,
    silent,
    source_of,
    state,
)

NEWEST = "2026-08"
ZIP, TAR = "/db-dump.zip", "/db-dump.tar.gz"


@pytest.fixture(scope="module")
def next_dump() -> Dump:
    """The small dump a day later: its crates, and so the bytes of that table, have changed."""
    dump = small_dump()
    return {**dump, "crates": [{**crate, "readme": f"# {crate['name']}, {NEXT_KEY}"} for crate in dump["crates"]]}


@pytest.fixture(scope="module")
def good_zip(next_dump: Dump) -> bytes:
    return zip_bytes(next_dump, NEWEST, NEXT_AT)


@pytest.fixture(scope="module")
def good_tar(next_dump: Dump) -> bytes:
    return tar_gz_bytes(next_dump, NEWEST, NEXT_AT)


@pytest.fixture
def server() -> Iterator[CratesIoServer]:
    with CratesIoServer() as running:
        yield running


def installed(data: Path, loaded_dump: Path, dump: str | Path, one_advisory: Path) -> Resources:
    """An installation that has loaded the dump of KEY and is asked to take another."""
    shutil.copytree(loaded_dump, data)
    return live_resources(data, dump, one_advisory)


def kept_bytes(archive: SnapshotArchive, key: str) -> dict[str, bytes]:
    """The files of a snapshot, as `need` finds them."""
    return {name: archive.verified(file).read_bytes() for name, file in archive.require(key).files.items()}


def refused(resources: Resources, key: str, message: str) -> None:
    """Fetching fails so, publishes nothing, and leaves what was good as it was."""
    archive = archive_of(resources)
    before, tables = kept_bytes(archive, KEY), state(resources)
    with pytest.raises(BadInput, match=message):
        source_of(resources).fetch(key, silent)
    assert archive.keys() == [KEY]
    assert archive.find(NEXT_KEY) is None
    assert kept_bytes(archive, KEY) == before
    assert state(resources) == tables


# ---------------------------------------------------------------------------------------------------------------------
# Zips, byte by byte.


def offsets(data: bytes) -> dict[str, int]:
    """Where each member's entry in the central directory begins."""
    (at,) = struct.unpack("<I", data[-6:-2])
    found = {}
    while data[at : at + 4] == b"PK\x01\x02":
        name, extra, comment = struct.unpack("<HHH", data[at + 28 : at + 34])
        found[data[at + 46 : at + 46 + name].decode()] = at
        at += 46 + name + extra + comment
    return found


def local_header(data: bytes, member: str) -> int:
    at = offsets(data)[member]
    return struct.unpack("<I", data[at + 42 : at + 46])[0]


def overwritten(data: bytes, at: int, content: bytes) -> bytes:
    return data[:at] + content + data[at + len(content) :]


def directory_field(member: str, at: int, content: bytes) -> Callable[[bytes], bytes]:
    """Rewrites a field of a member's entry in the central directory."""
    return lambda data: overwritten(data, offsets(data)[member] + at, content)


def renamed(to: str) -> Callable[[bytes], bytes]:
    """The zip with another name of the same length for data/metadata.csv."""
    assert len(to) == len("data/metadata.csv")
    return lambda data: data.replace(b"data/metadata.csv", to.encode())


def with_member(name: str, content: bytes = b"x", **facts: int) -> Callable[[bytes], bytes]:
    """The zip with one more member, whatever its kind."""

    def edit(data: bytes) -> bytes:
        out = io.BytesIO(data)
        with zipfile.ZipFile(out, "a") as archive:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for fact, value in facts.items():
                setattr(info, fact, value)
            archive.writestr(info, content)
        return out.getvalue()

    return edit


def overlapping(data: bytes) -> bytes:
    """Two members of the central directory that are one."""
    crates = offsets(data)["data/crates.csv"]
    return overwritten(data, offsets(data)["data/metadata.csv"] + 42, data[crates + 42 : crates + 46])


def nested(data: bytes) -> bytes:
    """A member that lies inside another: a whole local header among a stored member's bytes."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("data/hidden.csv", "id\n1\n")
    out = with_member("notes.bin", inner.getvalue(), compress_type=zipfile.ZIP_STORED)(data)
    out = with_member("data/hidden.csv", b"id\n2\n")(out)
    inside = out.index(b"PK\x03\x04", local_header(out, "notes.bin") + 4)
    return overwritten(out, offsets(out)["data/hidden.csv"] + 42, struct.pack("<I", inside))


def flip_data(data: bytes) -> bytes:
    at = local_header(data, "data/crates.csv") + 30 + len("data/crates.csv") + 40
    return overwritten(data, at, bytes([data[at] ^ 4]))


def huge_by_zip64(data: bytes) -> bytes:
    """A member that declares 10 TB in a zip64 field."""
    at = offsets(data)["data/teams.csv"]
    extra = struct.pack("<HHQ", 1, 8, 10**13)
    name = len("data/teams.csv")
    entry = bytearray(data[at : at + 46 + name])
    entry[24:28] = b"\xff" * 4
    entry[30:32] = struct.pack("<H", len(extra))
    out = data[:at] + bytes(entry) + extra + data[at + 46 + name :]
    (size,) = struct.unpack("<I", out[-10:-6])
    return out[:-10] + struct.pack("<I", size + len(extra)) + out[-6:]


ZIPS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut in the middle": (lambda d: d[: len(d) // 2], "is no whole zip archive .*fetch it again"),
    "cut at the end": (lambda d: d[:-1], "is no whole zip archive .*fetch it again"),
    "first half missing": (
        lambda d: d[len(d) // 2 :],
        "is no whole zip archive|lies outside the archive|no header where",
    ),
    "empty": (lambda d: b"", "is no whole zip archive|refuses the range"),
    "text": (lambda d: b"Service Unavailable", "is no whole zip archive .*check the address"),
    "HTML": (lambda d: b"<!doctype html>" * 100, "is no whole zip archive .*check the address"),
    "bit of the data": (flip_data, r"data/crates\.csv is (cut or )?corrupt .*fetch the dump again"),
    "header of a member gone": (
        lambda d: overwritten(d, local_header(d, "data/crates.csv"), b"XXXX"),
        r"data/crates\.csv has no header where it should be: fetch it again",
    ),
    "header of another member": (
        lambda d: overwritten(d, local_header(d, "data/crates.csv") + 30, b"data/crabes.csv"),
        r"data/crates\.csv has no header where it should be",
    ),
    "wrong CRC": (directory_field("data/crates.csv", 16, b"abcd"), r"crates\.csv is cut or corrupt .*CRC .* expected"),
    "declared small": (
        directory_field("data/crates.csv", 24, struct.pack("<I", 100)),
        r"data/crates\.csv is larger than the 100 bytes it declares: do not use it",
    ),
    "declared large": (
        directory_field("data/crates.csv", 24, struct.pack("<I", 9_999)),
        r"data/crates\.csv is cut or corrupt .* expected 9,999",
    ),
    "declared huge": (
        directory_field("data/crates.csv", 24, struct.pack("<I", 4_000_000_000)),
        r"data/crates\.csv claims 4,000,000,000 bytes from .*: more than a dump has",
    ),
    "declared 10 TB": (huge_by_zip64, rf"teams\.csv claims 10,000,000,000,000 bytes .*at most {MOST_BYTES:,}"),
    "bomb": (with_member("data/bomb.csv", bytes(30_000_000)), r"data/bomb\.csv claims 30,000,000 bytes from"),
    "overlapping members": (overlapping, "overlaps .*: do not use this archive"),
    "member inside another": (nested, "overlaps .*: do not use this archive"),
    "beyond the end": (
        directory_field("data/teams.csv", 42, struct.pack("<I", 2**31)),
        r"data/teams\.csv lies outside the archive: fetch it again",
    ),
    "path out of the archive": (renamed("../../../me/a.csv"), r"'\.\./\.\./\.\./me/a\.csv' leads out of the archive"),
    "absolute path": (renamed("/etc/metadata.csv"), "'/etc/metadata.csv' leads out of the archive"),
    "drive": (renamed("C:/a/metadata.csv"), "'C:/a/metadata.csv' leads out of the archive"),
    "backslash": (renamed("data\\metadata.csv"), "leads out of the archive"),
    "dot in the path": (renamed("data/./metada.csv"), "leads out of the archive"),
    "member twice": (with_member("data/crates.csv", b"id,name,created_at\n"), r"data/crates\.csv stands twice"),
    "symbolic link": (with_member("data/x.csv", b"/etc/passwd", external_attr=0o120777 << 16), "is a link or a device"),
    "device": (with_member("data/x.csv", external_attr=0o060644 << 16), "is a link or a device"),
    "encrypted": (directory_field("data/crates.csv", 8, b"\x01\x00"), r"data/crates\.csv is encrypted, or compressed"),
    "bzip2": (with_member("data/x.csv", compress_type=zipfile.ZIP_BZIP2), r"data/x\.csv is encrypted, or compressed"),
    "method 99": (directory_field("data/crates.csv", 10, b"\x63\x00"), "compressed in an unknown way"),
    "cut zip64 field": (
        lambda d: huge_by_zip64(d).replace(struct.pack("<HHQ", 1, 8, 10**13), struct.pack("<HHQ", 1, 99, 10**13)),
        "is no whole zip archive",
    ),
    "no metadata": (
        lambda d: pack(csv_tables(small_dump(), NEWEST)).replace(b"metadata.json", b"metadata.yaml"),
        "metadata.json is missing",
    ),
}


@pytest.mark.parametrize("where", ["disk", "server"])
@pytest.mark.parametrize("name", ZIPS)
def test_zip_that_is_not_to_be_trusted(
    name: str,
    where: str,
    tmp_path: Path,
    loaded_dump: Path,
    one_advisory: Path,
    server: CratesIoServer,
    good_zip: bytes,
) -> None:
    spoil, message = ZIPS[name]
    path = tmp_path / "db-dump.zip"
    path.write_bytes(spoil(good_zip))
    server.files[ZIP] = path
    dump = str(path) if where == "disk" else server.url + ZIP
    refused(installed(tmp_path / "data", loaded_dump, dump, one_advisory), NEXT_KEY, message)


METADATA = {
    "broken": b"{",
    "a list": b"[]",
    "a number": b"7",
    "no timestamp": b"{}",
    "a number for a time": b'{"timestamp": 20261121}',
    "no time": b'{"timestamp": "yesterday"}',
    "no such day": b'{"timestamp": "2026-02-30T00:00:00Z"}',
    "out of any calendar": b'{"timestamp": "0001-01-01T00:00:00+10:00"}',
    "bottomless": b"[" * 60_000,
    "binary": bytes(range(256)),
    "too long": b" " * 70_000,
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_says_no_time(name: str, tmp_path: Path, loaded_dump: Path, one_advisory: Path) -> None:
    with zipfile.ZipFile(tmp_path / "dump", "w") as archive:
        archive.writestr("metadata.json", METADATA[name])
    resources = installed(tmp_path / "data", loaded_dump, tmp_path / "dump", one_advisory)
    refused(
        resources, NEXT_KEY, r"metadata\.json (has no timestamp that can be read|is missing or has more than) .*dump\?"
    )


def test_dump_that_is_older_future_or_of_another_day(tmp_path: Path, loaded_dump: Path, one_advisory: Path) -> None:
    dump = tmp_path / "dump"
    resources = installed(tmp_path / "data", loaded_dump, dump, one_advisory)
    for stamp, message in (
        (SMALL_AT.replace("02:15", "02:14"), "older than the newest here .*the newest snapshot stays"),
        ("2026-11-19T02:15:07Z", "older than the newest here"),
        (f"{datetime.now(UTC) + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}", "is in the future: check the clock"),
        ("9999-12-31T23:59:59Z", "is in the future: check the clock"),
        ("2026-11-22T02:15:07Z", "is the dump of 2026-11-22; it has none of 2026-11-21: ask for 2026-11-22"),
    ):
        dump.write_bytes(pack({}, stamp))
        refused(resources, NEXT_KEY, message)


def test_source_that_is_no_file(tmp_path: Path, loaded_dump: Path, one_advisory: Path, server: CratesIoServer) -> None:
    server.files["/page"] = b"<!doctype html>"
    server.faults["/page"] = [Fault(web_page=True)] * 9
    for number, (where, message) in enumerate(
        {
            str(tmp_path / "nowhere"): "is not a file: set CRATES_DUMP to a dump",
            str(tmp_path): "is not a file: set CRATES_DUMP to a dump",
            f"{server.url}/none": "answered 404 .*: check the address",
            f"{server.url}/page": "got a web page, not a file: .*check the address",
        }.items()
    ):
        refused(installed(tmp_path / f"data{number}", loaded_dump, where, one_advisory), NEXT_KEY, message)


def test_flipped_bits_never_get_through(tmp_path: Path) -> None:
    """Wherever a bit is wrong, the tables come out as they went in, or not at all."""
    data = pack(csv_tables(small_dump(), NEWEST))
    expected = {name: file.crc32 for name, file in tables_of(tmp_path / "good", data).items()}
    refusals = 0
    dice = random.Random(7)
    places = [*range(min(offsets(data).values()), len(data), 9), *dice.sample(range(len(data)), 150)]
    for number, at in enumerate(places):
        flipped = overwritten(data, at, bytes([data[at] ^ (1 << dice.randrange(8))]))
        try:
            found = tables_of(tmp_path / str(number), flipped)
        except BadInput:
            refusals += 1
        else:
            assert {name: file.crc32 for name, file in found.items()} == expected, at
    assert refusals > len(places) / 2


def tables_of(folder: Path, dump: bytes) -> dict:
    """What a dump's tables are kept as."""
    archive = SnapshotArchive(folder)
    with archive.only_fetcher():
        (folder / "dump").write_bytes(dump)
        files, _ = fetch_tables(LocalBytes(folder / "dump"), archive, "x", lambda what, done, size: None)
    return files


def test_zip64_sizes_and_a_comment_are_no_fault(tmp_path: Path) -> None:
    tables = csv_tables(small_dump(), NEWEST)
    with zipfile.ZipFile(tmp_path / "dump", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"timestamp": SMALL_AT}))
        for table, content in tables.items():
            with archive.open(f"data/{table}.csv", "w", force_zip64=True) as member:
                member.write(content)
        archive.comment = b"made by hand " * 5_000
    found = tables_of(tmp_path / "a", (tmp_path / "dump").read_bytes())
    assert {name: file.bytes for name, file in found.items()} == {name: len(tables[name]) for name in CSV_TABLES}
    assert {name: file.records for name, file in found.items()} == {
        name: len(small_dump()[name]) + 1 for name in CSV_TABLES
    }


def test_stored_members(tmp_path: Path) -> None:
    out = io.BytesIO()
    tables = csv_tables(small_dump(), NEWEST)
    with zipfile.ZipFile(out, "w") as archive:
        for table, content in tables.items():
            archive.writestr(f"data/{table}.csv", content)
    for name, file in tables_of(tmp_path / "a", out.getvalue()).items():
        assert gzip.decompress((tmp_path / "a" / "objects" / file.object).read_bytes()) == tables[name]


# ---------------------------------------------------------------------------------------------------------------------
# Tars.

PREFIX = "2026-11-21-021507"


def tar_of(*more: tuple[tarfile.TarInfo, bytes], tables: bool = True, tail: bytes = b"") -> bytes:
    """A dump's tar.gz with more members behind it."""
    metadata = json.dumps({"timestamp": NEXT_AT}).encode()
    files = {"metadata.json": metadata}
    if tables:
        files |= {f"data/{name}.csv": content for name, content in csv_tables(small_dump(), NEWEST).items()}
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{PREFIX}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info, content in more:
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(plain.getvalue() + tail, 1)


def member(name: str, content: bytes = b"", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info, content


def raw_header(kind: bytes, size: int) -> bytes:
    """A header that declares more than comes."""
    info = tarfile.TarInfo(f"{PREFIX}/x")
    info.type, info.size = kind, size
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(100_000), 1)


NO_FILE = "is a link, a device or another thing that is no plain file"
TARS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut in the middle": (lambda d: d[: len(d) // 2], r"is cut or corrupt, or no tar\.gz .*fetch it again"),
    "cut before the CRC": (lambda d: d[:-6], "is cut or corrupt"),
    "wrong CRC": (lambda d: d[:-8] + b"abcd" + d[-4:], "is cut or corrupt"),
    "flipped bit": (
        lambda d: overwritten(d, len(d) // 3, bytes([d[len(d) // 3] ^ 1])),
        "is cut or corrupt|stands twice",
    ),
    "rubbish behind it": (lambda d: d + b"rubbish", "is cut or corrupt"),
    "gzip of nothing": (lambda d: gzip.compress(b""), "is cut or corrupt|no metadata.json"),
    "gzip of text": (lambda d: gzip.compress(b"hello" * 1000), "is cut or corrupt, or no tar.gz"),
    "zeros": (lambda d: gzip.compress(bytes(3_000_000)), "is cut or corrupt|no metadata.json"),
    "symbolic link": (
        lambda d: tar_of(member(f"{PREFIX}/data/x.csv", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        NO_FILE,
    ),
    "hard link": (lambda d: tar_of(member(f"{PREFIX}/data/x.csv", type=tarfile.LNKTYPE, linkname="y")), NO_FILE),
    "device": (lambda d: tar_of(member(f"{PREFIX}/data/x.csv", type=tarfile.CHRTYPE)), NO_FILE),
    "pipe": (lambda d: tar_of(member(f"{PREFIX}/data/x.csv", type=tarfile.FIFOTYPE)), NO_FILE),
    "sparse file": (lambda d: raw_header(tarfile.GNUTYPE_SPARSE, 10**12), NO_FILE),
    "endless long name": (lambda d: raw_header(tarfile.GNUTYPE_LONGNAME, 10**12), NO_FILE),
    "endless extended header": (lambda d: raw_header(tarfile.XHDTYPE, 10**12), NO_FILE),
    "endless global header": (lambda d: raw_header(tarfile.XGLTYPE, 10**12), NO_FILE),
    "path out of the archive": (lambda d: tar_of(member("../../etc/x", b"x")), "leads out of the archive"),
    "absolute path": (lambda d: tar_of(member("/etc/x", b"x")), "leads out of the archive"),
    "member twice": (lambda d: tar_of(member(f"{PREFIX}/data/crates.csv", b"x")), r"data/crates\.csv stands twice"),
    "member twice by two folders": (lambda d: tar_of(member("other/data/crates.csv", b"x")), "stands twice"),
    "bomb": (lambda d: tar_of(member(f"{PREFIX}/data/x.csv", bytes(30_000_000))), "x.csv with what stands .* claims"),
    "bomb of many": (
        lambda d: tar_of(*(member(f"{PREFIX}/data/x{i}.csv", bytes(900_000)) for i in range(40))),
        "more than a dump has",
    ),
    "very many members": (lambda d: tar_of(*(member(f"{PREFIX}/x{i}") for i in range(1100))), "more than 1000 members"),
    "padding without end": (lambda d: tar_of(tail=bytes(20_000_000)), "goes on behind the end of the tar"),
    "no metadata first": (
        lambda d: gzip.compress(gzip.decompress(d).replace(b"metadata.json", b"metadata.yaml")),
        "no metadata|corrupt",
    ),
    "no tables": (lambda d: tar_of(tables=False), r"the dump has no data/crate_owners\.csv"),
}


@pytest.mark.parametrize("where", ["disk", "server"])
@pytest.mark.parametrize("name", TARS)
def test_tar_that_is_not_to_be_trusted(
    name: str,
    where: str,
    tmp_path: Path,
    loaded_dump: Path,
    one_advisory: Path,
    server: CratesIoServer,
    good_tar: bytes,
) -> None:
    spoil, message = TARS[name]
    path = tmp_path / "db-dump.tar.gz"
    path.write_bytes(spoil(good_tar))
    server.files[TAR] = path
    resources = installed(
        tmp_path / "data", loaded_dump, str(path) if where == "disk" else server.url + TAR, one_advisory
    )
    refused(resources, NEXT_KEY, message)
    # nothing of it is in the way of a whole one
    path.write_bytes(good_tar)
    if where == "server" and name in ("wrong CRC", "bomb"):
        assert source_of(resources).fetch(NEXT_KEY, silent).key == NEXT_KEY


def test_metadata_of_a_large_tar(tmp_path: Path, one_advisory: Path) -> None:
    """Only the head of it is read to see what it is."""
    dump = large_dump()
    (tmp_path / "dump").write_bytes(tar_gz_bytes(dump, NEWEST, SMALL_AT))
    assert (tmp_path / "dump").stat().st_size > 2 << 20
    source = source_of(live_resources(tmp_path / "data", tmp_path / "dump", one_advisory))
    assert source.newest().key == KEY


def test_zip_after_tar_keeps_what_both_share(tmp_path: Path, loaded_dump: Path, one_advisory: Path) -> None:
    """The same table, compressed by another, must not take the place of the bytes that the older snapshot has."""
    (tmp_path / "dump").write_bytes(tar_gz_bytes(small_dump(), NEWEST, NEXT_AT))
    resources = installed(tmp_path / "data", loaded_dump, tmp_path / "dump", one_advisory)
    before = kept_bytes(archive_of(resources), KEY)
    source_of(resources).fetch(NEXT_KEY, silent)
    assert kept_bytes(archive_of(resources), KEY) == before


# ---------------------------------------------------------------------------------------------------------------------
# Servers that change, cut and hang; runs that are killed; disks that are full.


def noise(size: int, seed: int) -> str:
    """Text that does not compress below its half."""
    return random.Random(seed).randbytes(size // 2).hex()


def large_dump() -> Dump:
    """The small dump with much that no table needs, and one table that takes a while."""
    dump = small_dump()
    dump["reserved_usernames"] = [{"username": noise(2000, i)} for i in range(1500)]
    dump["keywords"] = [{**dump["keywords"][0], "id": i, "keyword": noise(2000, 9000 + i)} for i in range(500)]
    dump["crates"] = [{**c, "readme": noise(200_000, c["id"])} for c in dump["crates"]]
    return dump


@pytest.fixture(scope="module")
def large_zip() -> bytes:
    return zip_bytes(large_dump(), NEWEST, SMALL_AT)


def needed_bytes(data: bytes, *tables: str) -> int:
    """The compressed bytes of tables."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return sum(archive.getinfo(f"data/{table}.csv").compress_size for table in tables)


# for a look at the file: its end twice, metadata.json, and a header for each table
ALLOWANCE = 2 * TAIL + 5_000


def test_only_the_needed_tables_are_fetched_and_only_once(
    tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    server.files[ZIP] = large_zip
    resources = live_resources(tmp_path / "data", server.url + ZIP, one_advisory)
    snapshot = source_of(resources).fetch(KEY, silent)
    needed = needed_bytes(large_zip, *CSV_TABLES)
    assert needed < server.bytes_sent(ZIP) <= needed + ALLOWANCE < 0.6 * len(large_zip)
    assert snapshot.bytes_fetched == server.bytes_sent(ZIP)
    # the same again
    source_of(resources).fetch(KEY, silent)
    assert snapshot.bytes_fetched == server.bytes_sent(ZIP)
    # the next day one table has changed
    dump = large_dump()
    dump["version_downloads"] = [d | {"downloads": d["downloads"] + 1} for d in dump["version_downloads"]]
    server.files[ZIP] = later_zip = zip_bytes(dump, NEWEST, NEXT_AT)
    server.requests.clear()
    later = source_of(resources).fetch(NEXT_KEY, silent)
    changed = needed_bytes(later_zip, "version_downloads")
    assert changed < server.bytes_sent(ZIP) <= changed + ALLOWANCE
    assert later.bytes_fetched == server.bytes_sent(ZIP)
    # what did not change is there once
    archive = archive_of(resources)
    first, second = archive.require(KEY).files, archive.require(NEXT_KEY).files
    assert {name for name in first if first[name] != second[name]} == {"version_downloads"}
    assert {path.name for path in archive.objects.iterdir()} == {f.object for f in (*first.values(), *second.values())}
    assert list(archive.partial.iterdir()) == []
    assert archive.space() == {
        KEY: (snapshot.bytes, snapshot.bytes),
        NEXT_KEY: (later.bytes, second["version_downloads"].stored_bytes),
    }


def test_a_look_costs_next_to_nothing(
    tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    server.files |= {ZIP: large_zip, TAR: tar_gz_bytes(large_dump(), NEWEST, SMALL_AT)}
    assert source_of(live_resources(tmp_path, server.url + ZIP, one_advisory)).newest().key == KEY
    assert server.bytes_sent(ZIP) <= TAIL + 1_000
    assert source_of(live_resources(tmp_path, server.url + TAR, one_advisory)).newest().key == KEY
    assert server.bytes_sent(TAR) <= (1 << 20) + 2


@pytest.mark.parametrize("path", [ZIP, TAR])
def test_file_replaced_in_the_middle_of_a_fetch(
    path: str, tmp_path: Path, loaded_dump: Path, one_advisory: Path, server: CratesIoServer
) -> None:
    make = zip_bytes if path == ZIP else tar_gz_bytes
    old, new = large_dump(), large_dump()
    new["crates"][0]["readme"] = "another"
    server.files[path] = make(old, NEWEST, NEXT_AT)
    replaced = make(new, NEWEST, NEXT_AT.replace("11-21", "11-22"))
    # the file is another one from the middle of the largest part on
    server.faults[path] = [*([Fault()] * (8 if path == ZIP else 4)), Fault(disconnect_after=200_000)]
    resources = installed(tmp_path / "data", loaded_dump, server.url + path, one_advisory)

    def report(what: str, done: int, size: int) -> None:
        if done > 100_000:
            server.files[path] = replaced

    with pytest.raises(SourceChanged, match=r"was replaced on the server .*start again with the new file"):
        source_of(resources).fetch(NEXT_KEY, silent, report)
    assert archive_of(resources).keys() == [KEY]
    assert source_of(resources).fetch("2026-11-22", silent).key == "2026-11-22"
    assert list(archive_of(resources).partial.iterdir()) == []


def test_cut_connection_goes_on_where_it_was(
    tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    server.files[ZIP] = large_zip
    plain = source_of(live_resources(tmp_path / "plain", server.url + ZIP, one_advisory)).fetch(KEY, silent)
    server.requests.clear()
    server.faults[ZIP] = [*([Fault()] * 8), Fault(disconnect_after=300_000), Fault(disconnect_after=200_000)]
    cut = source_of(live_resources(tmp_path / "cut", server.url + ZIP, one_advisory)).fetch(KEY, silent)
    assert server.faults[ZIP] == []
    assert cut.sha256 == plain.sha256
    assert server.bytes_sent(ZIP) == plain.bytes_fetched


# CratesIoDump alone, which is imported sooner than all of the pipeline
SOURCE = """
import sys
from resources.common.errors import CannotWrite
from resources.crates_io.dump.source import CratesIoDump
def source(data, dump, advisories):
    return CratesIoDump(folder=data + "/snapshots", dump=dump, contact="tests@example.org", advisory_db=advisories,
                        static_url="", history_days=0, keep=1)
def report(what, done, size):
    print(what, done, flush=True)
"""
FETCH = f"""{SOURCE}
print("fetched", source(*sys.argv[1:4]).fetch("{KEY}", print, report).sha256)
"""


def fetching(data: Path, dump: str, advisories: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FETCH, str(data), dump, str(advisories)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("path", [ZIP, TAR])
def test_killed_fetch_is_gone_on_with(
    path: str, tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    server.files[path] = data = large_zip if path == ZIP else tar_gz_bytes(large_dump(), NEWEST, SMALL_AT)
    resources = live_resources(tmp_path / "data", server.url + path, one_advisory)
    # the first requests look at the file; then comes a table, or the tar, slowly
    server.faults[path] = [*([Fault()] * (8 if path == ZIP else 4)), Fault(pause_s=0.02, piece=1 << 15)]
    process = fetching(tmp_path / "data", server.url + path, one_advisory)
    assert process.stdout
    for line in process.stdout:
        if int(line.split()[-1]) > 600_000:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert archive_of(resources).keys() == []
    [left] = [p.stat().st_size for p in archive_of(resources).partial.iterdir()]
    assert left > 500_000
    server.faults[path] = []
    server.requests.clear()
    snapshot = source_of(resources).fetch(KEY, silent)
    whole = needed_bytes(large_zip, *CSV_TABLES) + ALLOWANCE if path == ZIP else len(data) + (1 << 20) + 10
    assert server.bytes_sent(path) <= whole - left
    assert kept_bytes(archive_of(resources), KEY)
    assert snapshot.bytes_fetched == server.bytes_sent(path)


def test_tables_of_a_fetch_that_failed_later_are_not_fetched_again(
    tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    """The advisory database may be away when the dump is here already."""
    server.files[ZIP] = large_zip
    away = source_of(live_resources(tmp_path / "data", server.url + ZIP, tmp_path / "nowhere"))
    with pytest.raises(Exception, match="nowhere cannot be fetched"):
        away.fetch(KEY, silent)
    assert away.archive.keys() == []
    # one of them is spoilt meanwhile
    spoilt = next(path for path in away.archive.objects.iterdir() if path.name.startswith("users"))
    spoilt.write_bytes(spoilt.read_bytes()[:-20])
    server.requests.clear()
    source_of(live_resources(tmp_path / "data", server.url + ZIP, one_advisory)).fetch(KEY, silent)
    assert server.bytes_sent(ZIP) <= needed_bytes(large_zip, "users") + ALLOWANCE


def test_two_processes_fetch_once(tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes) -> None:
    server.files[ZIP] = large_zip
    two = [fetching(tmp_path / "data", server.url + ZIP, one_advisory) for _ in range(2)]
    told = [process.communicate(timeout=100)[0].splitlines()[-1] for process in two]
    assert told[0] == told[1]
    assert told[0].startswith("fetched ")
    assert server.bytes_sent(ZIP) <= needed_bytes(large_zip, *CSV_TABLES) + ALLOWANCE


def test_pruning_waits_for_a_fetch(
    tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    """What is being fetched belongs to no snapshot yet, and must not be swept away."""
    server.files[ZIP] = large_zip
    server.faults[ZIP] = [*([Fault()] * 10), Fault(pause_s=0.01, piece=1 << 13)]
    process = fetching(tmp_path / "data", server.url + ZIP, one_advisory)
    resources = live_resources(tmp_path / "data", server.url + ZIP, one_advisory)
    assert process.stdout
    for line in process.stdout:
        if not line.startswith("data/crates.csv"):
            break
    assert archive_of(resources).prune(1) == []
    assert "fetched" in process.communicate(timeout=100)[0]
    assert kept_bytes(archive_of(resources), KEY)


FULL_DISK = f"""{SOURCE}
data, first, second, advisories = sys.argv[1:5]
source(data, first, advisories).fetch("{KEY}", print)
later = source(data, second, advisories)
try:
    later.fetch("{NEXT_KEY}", print)
except CannotWrite as error:
    print(error)
kept = later.archive.require("{KEY}")
print("kept:", later.archive.keys(), len([later.archive.verified(file) for file in kept.files.values()]))
"""


def test_full_disk(tmp_path: Path, one_advisory: Path, loaded_dump: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let a test mount a file system of its own")
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "large.zip").write_bytes(zip_bytes(large_dump(), NEWEST, NEXT_AT))
    script = 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" -c "$3" "$1" "$4" "$5" "$6"'
    given = [str(loaded_dump.parent / "dump.zip"), str(tmp_path / "large.zip"), str(one_advisory)]
    command = ["unshare", "-rm", "sh", "-c", script, "sh", str(data), sys.executable, FULL_DISK, *given]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert "No space left on device. Free space there" in done.stdout, done.stdout + done.stderr
    assert f"kept: ['{KEY}'] {len(CSV_TABLES) + 2}" in done.stdout


def test_folder_that_cannot_be_written(tmp_path: Path, one_advisory: Path, loaded_dump: Path) -> None:
    (tmp_path / "file").write_text("")
    source = source_of(live_resources(tmp_path / "file", loaded_dump.parent / "dump.zip", one_advisory))
    with pytest.raises(CannotWrite, match=r"cannot write .*set CRATES_DATA to a folder that can be written"):
        source.fetch(KEY, silent)


# ---------------------------------------------------------------------------------------------------------------------
# What is kept.

DAYS = ["2026-08-30", "2026-09-01", "2026-09-02", "2026-09-15", "2026-10-03", "2026-10-04", "2026-11-01", "2026-11-02"]


def with_days(archive: SnapshotArchive, loaded: SnapshotArchive) -> SnapshotArchive:
    """Snapshots of many days: each has one file of its own, and shares one with the next."""
    shutil.copytree(loaded.folder, archive.folder)
    kept = archive.require(KEY)
    (archive.folder / f"{KEY}.json").unlink()
    template = kept.files["teams"]
    for path in archive.objects.iterdir():
        path.unlink()
    for number, key in enumerate(DAYS):
        files = {}
        for name, label in (("teams", f"own{number}"), ("users", f"shared{number // 2}")):
            (archive.objects / label).write_text(label)
            files[name] = replace(template, object=label, crc32=number, stored_bytes=len(label))
        archive.publish(key, replace(kept, files=files))
    return archive


def test_retention(tmp_path: Path, loaded_dump: Path) -> None:
    archive = with_days(SnapshotArchive(tmp_path / "snapshots"), SnapshotArchive(loaded_dump / "snapshots"))
    assert archive.space()["2026-09-01"] == (len("own1") + len("shared0"), len("own1"))
    (archive.objects / "left by a fetch that failed").write_text("")
    removed = archive.prune(2)
    # the newest two stay, and the first of each month
    assert removed == ["2026-09-02", "2026-09-15", "2026-10-04"]
    assert archive.keys() == ["2026-08-30", "2026-09-01", "2026-10-03", "2026-11-01", "2026-11-02"]
    assert None not in map(archive.find, archive.keys())
    assert {path.name for path in archive.objects.iterdir()} == {
        *(f"own{i}" for i in (0, 1, 4, 6, 7)),
        *(f"shared{i}" for i in (0, 2, 3)),
    }
    assert archive.prune(2) == []


def test_pruning_leaves_what_a_damaged_snapshot_still_has(tmp_path: Path, loaded_dump: Path) -> None:
    archive = with_days(SnapshotArchive(tmp_path / "snapshots"), SnapshotArchive(loaded_dump / "snapshots"))
    (archive.objects / "own7").unlink()
    assert archive.find("2026-11-02") is None
    archive.prune(2)
    assert (archive.objects / "shared3").exists()
    with pytest.raises(BadInput, match=r"snapshot 2026-11-02 is not in .*materialize snapshots for it first"):
        archive.require("2026-11-02")


def test_spoilt_object_is_named_and_comes_again(tmp_path: Path, loaded_dump: Path, one_advisory: Path) -> None:
    resources = installed(tmp_path / "data", loaded_dump, loaded_dump.parent / "dump.zip", one_advisory)
    archive, before = archive_of(resources), state(resources)
    path = archive.objects / archive.require(KEY).files["crates"].object
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        BadInput, match=rf"{path.name} is missing, cut or corrupt: delete it, and materialize snapshots"
    ):
        load(resources, KEY, ["crates"])
    assert state(resources) == before
    path.unlink()
    assert load(resources) == before


def test_record_of_a_snapshot_that_cannot_be_read_is_named(
    tmp_path: Path, loaded_dump: Path, one_advisory: Path
) -> None:
    resources = installed(tmp_path / "data", loaded_dump, loaded_dump.parent / "dump.zip", one_advisory)
    for text in ("", "{", "[]", "{}", '{"files": {"crates": {"size": 1}}, "notes": []}'):
        (archive_of(resources).folder / f"{KEY}.json").write_text(text)
        with pytest.raises(BadInput, match=rf"{KEY}\.json cannot be read .*delete it, and materialize snapshots again"):
            archive_of(resources).require(KEY)
