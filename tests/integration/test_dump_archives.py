"""Malicious, corrupt and changing dumps: the error is clear, nothing is published, the last snapshot stays.

Only bytes that are used and not stored yet are fetched.
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
from resources.crates_io.dump.dump_file import LocalDumpFile
from resources.crates_io.dump.fetch import fetch_tables
from resources.crates_io.dump.layout import CSV_TABLES
from resources.crates_io.dump.members import MAX_MEMBER_BYTES
from resources.crates_io.dump.zip_archive import TAIL_BYTES
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
    """The small dump a day later, with a changed `crates` table."""
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
    """An installation that has loaded the dump of KEY and has `dump` as its source now."""
    shutil.copytree(loaded_dump, data)
    return live_resources(data, dump, one_advisory)


def archived_bytes(archive: SnapshotArchive, key: str) -> dict[str, bytes]:
    """The contents of the files of a snapshot."""
    return {name: archive.verified_path(file).read_bytes() for name, file in archive.require(key).files.items()}


def assert_rejected(resources: Resources, key: str, message: str) -> None:
    """Fetching fails with `message`, publishes nothing and changes nothing."""
    archive = archive_of(resources)
    before, tables = archived_bytes(archive, KEY), state(resources)
    with pytest.raises(BadInput, match=message):
        source_of(resources).fetch(key, silent)
    assert archive.keys() == [KEY]
    assert archive.find(NEXT_KEY) is None
    assert archived_bytes(archive, KEY) == before
    assert state(resources) == tables


# ---------------------------------------------------------------------------------------------------------------------
# Invalid zips.


def offsets(data: bytes) -> dict[str, int]:
    """The offset of each member's entry in the central directory."""
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
    """Two members of the central directory with the same offset."""
    crates = offsets(data)["data/crates.csv"]
    return overwritten(data, offsets(data)["data/metadata.csv"] + 42, data[crates + 42 : crates + 46])


def nested(data: bytes) -> bytes:
    """A member inside another: a local header among the bytes of an uncompressed member."""
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
    "truncated in the middle": (lambda d: d[: len(d) // 2], "is not a complete zip archive .*fetch it again"),
    "truncated at the end": (lambda d: d[:-1], "is not a complete zip archive .*fetch it again"),
    "first half missing": (
        lambda d: d[len(d) // 2 :],
        "is not a complete zip archive|is outside the archive|no local header",
    ),
    "empty": (lambda d: b"", "is not a complete zip archive|range is beyond its end"),
    "text": (lambda d: b"Service Unavailable", "is not a complete zip archive .*check the URL"),
    "HTML": (lambda d: b"<!doctype html>" * 100, "is not a complete zip archive .*check the URL"),
    "bit of the data": (flip_data, r"data/crates\.csv is (truncated or )?corrupt .*fetch the dump again"),
    "local header missing": (
        lambda d: overwritten(d, local_header(d, "data/crates.csv"), b"XXXX"),
        r"data/crates\.csv has no local header at its offset: fetch it again",
    ),
    "local header of another member": (
        lambda d: overwritten(d, local_header(d, "data/crates.csv") + 30, b"data/crabes.csv"),
        r"data/crates\.csv has no local header at its offset",
    ),
    "wrong CRC": (
        directory_field("data/crates.csv", 16, b"abcd"),
        r"crates\.csv is truncated .*CRC .* expected",
    ),
    "declared small": (
        directory_field("data/crates.csv", 24, struct.pack("<I", 100)),
        r"data/crates\.csv is larger than its declared 100 bytes: use another archive",
    ),
    "declared large": (
        directory_field("data/crates.csv", 24, struct.pack("<I", 9_999)),
        r"data/crates\.csv is truncated or corrupt .* expected 9,999",
    ),
    "declared huge": (
        directory_field("data/crates.csv", 24, struct.pack("<I", 4_000_000_000)),
        r"data/crates\.csv declares 4,000,000,000 bytes from .*: use another archive",
    ),
    "declared 10 TB": (huge_by_zip64, rf"teams\.csv declares 10,000,000,000,000 bytes .*at most {MAX_MEMBER_BYTES:,}"),
    "bomb": (with_member("data/bomb.csv", bytes(30_000_000)), r"data/bomb\.csv declares 30,000,000 bytes from"),
    "overlapping members": (overlapping, "overlaps .*: use another archive"),
    "member inside another": (nested, "overlaps .*: use another archive"),
    "beyond the end": (
        directory_field("data/teams.csv", 42, struct.pack("<I", 2**31)),
        r"data/teams\.csv is outside the archive: fetch it again",
    ),
    "path out of the archive": (renamed("../../../me/a.csv"), r"'\.\./\.\./\.\./me/a\.csv' leads out of the archive"),
    "absolute path": (renamed("/etc/metadata.csv"), "'/etc/metadata.csv' leads out of the archive"),
    "drive": (renamed("C:/a/metadata.csv"), "'C:/a/metadata.csv' leads out of the archive"),
    "backslash": (renamed("data\\metadata.csv"), "leads out of the archive"),
    "dot in the path": (renamed("data/./metada.csv"), "leads out of the archive"),
    "member twice": (with_member("data/crates.csv", b"id,name,created_at\n"), r"data/crates\.csv is duplicated"),
    "symbolic link": (with_member("data/x.csv", b"/etc/passwd", external_attr=0o120777 << 16), "is not a regular file"),
    "device": (with_member("data/x.csv", external_attr=0o060644 << 16), "is not a regular file"),
    "encrypted": (
        directory_field("data/crates.csv", 8, b"\x01\x00"),
        r"crates\.csv is encrypted, or its compression",
    ),
    "bzip2": (
        with_member("data/x.csv", compress_type=zipfile.ZIP_BZIP2),
        r"x\.csv is encrypted, or its compression",
    ),
    "method 99": (directory_field("data/crates.csv", 10, b"\x63\x00"), "compression is unknown"),
    "truncated zip64 field": (
        lambda d: huge_by_zip64(d).replace(struct.pack("<HHQ", 1, 8, 10**13), struct.pack("<HHQ", 1, 99, 10**13)),
        "is not a complete zip archive",
    ),
    "no metadata": (
        lambda d: pack(csv_tables(small_dump(), NEWEST)).replace(b"metadata.json", b"metadata.yaml"),
        "metadata.json is missing",
    ),
}


@pytest.mark.parametrize("where", ["disk", "server"])
@pytest.mark.parametrize("name", ZIPS)
def test_invalid_zip_is_rejected(
    name: str,
    where: str,
    tmp_path: Path,
    loaded_dump: Path,
    one_advisory: Path,
    server: CratesIoServer,
    good_zip: bytes,
) -> None:
    corrupt, message = ZIPS[name]
    path = tmp_path / "db-dump.zip"
    path.write_bytes(corrupt(good_zip))
    server.files[ZIP] = path
    dump = str(path) if where == "disk" else server.url + ZIP
    assert_rejected(installed(tmp_path / "data", loaded_dump, dump, one_advisory), NEXT_KEY, message)


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
def test_metadata_without_a_valid_timestamp_is_rejected(
    name: str, tmp_path: Path, loaded_dump: Path, one_advisory: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "dump", "w") as archive:
        archive.writestr("metadata.json", METADATA[name])
    resources = installed(tmp_path / "data", loaded_dump, tmp_path / "dump", one_advisory)
    assert_rejected(
        resources, NEXT_KEY, r"metadata\.json (has no valid timestamp|is missing or has more than) .*use a crates"
    )


def test_dump_of_a_wrong_time_is_rejected(tmp_path: Path, loaded_dump: Path, one_advisory: Path) -> None:
    dump = tmp_path / "dump"
    resources = installed(tmp_path / "data", loaded_dump, dump, one_advisory)
    for stamp, message in (
        (SMALL_AT.replace("02:15", "02:14"), "older than the newest snapshot .*use a newer dump"),
        ("2026-11-19T02:15:07Z", "older than the newest snapshot"),
        (f"{datetime.now(UTC) + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}", "is in the future: check the clock"),
        ("9999-12-31T23:59:59Z", "is in the future: check the clock"),
        ("2026-11-22T02:15:07Z", "is the dump of 2026-11-22, not of 2026-11-21: use 2026-11-22"),
    ):
        dump.write_bytes(pack({}, stamp))
        assert_rejected(resources, NEXT_KEY, message)


def test_source_that_is_not_a_file_is_rejected(
    tmp_path: Path, loaded_dump: Path, one_advisory: Path, server: CratesIoServer
) -> None:
    server.files["/page"] = b"<!doctype html>"
    server.faults["/page"] = [Fault(web_page=True)] * 9
    for number, (where, message) in enumerate(
        {
            str(tmp_path / "nowhere"): "is not a file: set CRATES_DUMP to a dump",
            str(tmp_path): "is not a file: set CRATES_DUMP to a dump",
            f"{server.url}/none": "answered 404 .*: check the URL",
            f"{server.url}/page": "is a web page, not a file: check the URL",
        }.items()
    ):
        assert_rejected(installed(tmp_path / f"data{number}", loaded_dump, where, one_advisory), NEXT_KEY, message)


def test_flipped_bits_never_change_a_table(tmp_path: Path) -> None:
    """A dump with a flipped bit gives the same tables or an error."""
    data = pack(csv_tables(small_dump(), NEWEST))
    expected = {name: file.crc32 for name, file in tables_of(tmp_path / "good", data).items()}
    refusals = 0
    rng = random.Random(7)
    places = [*range(min(offsets(data).values()), len(data), 9), *rng.sample(range(len(data)), 150)]
    for number, at in enumerate(places):
        flipped = overwritten(data, at, bytes([data[at] ^ (1 << rng.randrange(8))]))
        try:
            found = tables_of(tmp_path / str(number), flipped)
        except BadInput:
            refusals += 1
        else:
            assert {name: file.crc32 for name, file in found.items()} == expected, at
    assert refusals > len(places) / 2


def tables_of(folder: Path, dump: bytes) -> dict:
    """The archived files of a dump's tables."""
    archive = SnapshotArchive(folder)
    with archive.fetch_lock():
        (folder / "dump").write_bytes(dump)
        files, _ = fetch_tables(LocalDumpFile(folder / "dump"), archive, "x", lambda what, done, size: None)
    return files


def test_zip64_sizes_and_a_comment_are_accepted(tmp_path: Path) -> None:
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


def test_uncompressed_members_are_accepted(tmp_path: Path) -> None:
    out = io.BytesIO()
    tables = csv_tables(small_dump(), NEWEST)
    with zipfile.ZipFile(out, "w") as archive:
        for table, content in tables.items():
            archive.writestr(f"data/{table}.csv", content)
    for name, file in tables_of(tmp_path / "a", out.getvalue()).items():
        assert gzip.decompress((tmp_path / "a" / "objects" / file.object).read_bytes()) == tables[name]


# ---------------------------------------------------------------------------------------------------------------------
# Invalid tars.

PREFIX = "2026-11-21-021507"


def tar_of(*more: tuple[tarfile.TarInfo, bytes], tables: bool = True, tail: bytes = b"") -> bytes:
    """The tar.gz of a dump with additional members."""
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
    """A header that declares more bytes than follow."""
    info = tarfile.TarInfo(f"{PREFIX}/x")
    info.type, info.size = kind, size
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(100_000), 1)


NOT_REGULAR = "is not a regular file"
TARS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated in the middle": (lambda d: d[: len(d) // 2], r"is truncated, corrupt or not a tar\.gz .*fetch it again"),
    "truncated before the CRC": (lambda d: d[:-6], "is truncated, corrupt"),
    "wrong CRC": (lambda d: d[:-8] + b"abcd" + d[-4:], "is truncated, corrupt"),
    "flipped bit": (
        lambda d: overwritten(d, len(d) // 3, bytes([d[len(d) // 3] ^ 1])),
        "is truncated, corrupt|is duplicated",
    ),
    "trailing garbage": (lambda d: d + b"garbage", "is truncated, corrupt"),
    "gzip of nothing": (lambda d: gzip.compress(b""), "is truncated, corrupt|no metadata.json"),
    "gzip of text": (lambda d: gzip.compress(b"hello" * 1000), "is truncated, corrupt or not a tar.gz"),
    "zeros": (lambda d: gzip.compress(bytes(3_000_000)), "is truncated, corrupt|no metadata.json"),
    "symbolic link": (
        lambda d: tar_of(member(f"{PREFIX}/data/x.csv", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        NOT_REGULAR,
    ),
    "hard link": (lambda d: tar_of(member(f"{PREFIX}/data/x.csv", type=tarfile.LNKTYPE, linkname="y")), NOT_REGULAR),
    "device": (lambda d: tar_of(member(f"{PREFIX}/data/x.csv", type=tarfile.CHRTYPE)), NOT_REGULAR),
    "pipe": (lambda d: tar_of(member(f"{PREFIX}/data/x.csv", type=tarfile.FIFOTYPE)), NOT_REGULAR),
    "sparse file": (lambda d: raw_header(tarfile.GNUTYPE_SPARSE, 10**12), NOT_REGULAR),
    "endless long name": (lambda d: raw_header(tarfile.GNUTYPE_LONGNAME, 10**12), NOT_REGULAR),
    "endless extended header": (lambda d: raw_header(tarfile.XHDTYPE, 10**12), NOT_REGULAR),
    "endless global header": (lambda d: raw_header(tarfile.XGLTYPE, 10**12), NOT_REGULAR),
    "path out of the archive": (lambda d: tar_of(member("../../etc/x", b"x")), "leads out of the archive"),
    "absolute path": (lambda d: tar_of(member("/etc/x", b"x")), "leads out of the archive"),
    "member twice": (lambda d: tar_of(member(f"{PREFIX}/data/crates.csv", b"x")), r"data/crates\.csv is duplicated"),
    "member twice by two folders": (lambda d: tar_of(member("other/data/crates.csv", b"x")), "is duplicated"),
    "bomb": (
        lambda d: tar_of(member(f"{PREFIX}/data/x.csv", bytes(30_000_000))),
        "x.csv with the members before it",
    ),
    "bomb of many": (
        lambda d: tar_of(*(member(f"{PREFIX}/data/x{i}.csv", bytes(900_000)) for i in range(40))),
        "with the members before it declares",
    ),
    "very many members": (lambda d: tar_of(*(member(f"{PREFIX}/x{i}") for i in range(1100))), "more than 1000 members"),
    "padding without end": (lambda d: tar_of(tail=bytes(20_000_000)), "continues after the end of the tar"),
    "no metadata first": (
        lambda d: gzip.compress(gzip.decompress(d).replace(b"metadata.json", b"metadata.yaml")),
        "no metadata|corrupt",
    ),
    "no tables": (lambda d: tar_of(tables=False), r"the dump has no data/crate_owners\.csv"),
}


@pytest.mark.parametrize("where", ["disk", "server"])
@pytest.mark.parametrize("name", TARS)
def test_invalid_tar_is_rejected(
    name: str,
    where: str,
    tmp_path: Path,
    loaded_dump: Path,
    one_advisory: Path,
    server: CratesIoServer,
    good_tar: bytes,
) -> None:
    corrupt, message = TARS[name]
    path = tmp_path / "db-dump.tar.gz"
    path.write_bytes(corrupt(good_tar))
    server.files[TAR] = path
    resources = installed(
        tmp_path / "data", loaded_dump, str(path) if where == "disk" else server.url + TAR, one_advisory
    )
    assert_rejected(resources, NEXT_KEY, message)
    # its partial download does not affect the next fetch
    path.write_bytes(good_tar)
    if where == "server" and name in ("wrong CRC", "bomb"):
        assert source_of(resources).fetch(NEXT_KEY, silent).key == NEXT_KEY


def test_only_the_head_of_a_large_tar_is_read_for_its_time(tmp_path: Path, one_advisory: Path) -> None:
    dump = large_dump()
    (tmp_path / "dump").write_bytes(tar_gz_bytes(dump, NEWEST, SMALL_AT))
    assert (tmp_path / "dump").stat().st_size > 2 << 20
    source = source_of(live_resources(tmp_path / "data", tmp_path / "dump", one_advisory))
    assert source.newest().key == KEY


def test_zip_after_tar_leaves_the_shared_files_unchanged(tmp_path: Path, loaded_dump: Path, one_advisory: Path) -> None:
    """The same table from another compressor must not replace the file of the older snapshot."""
    (tmp_path / "dump").write_bytes(tar_gz_bytes(small_dump(), NEWEST, NEXT_AT))
    resources = installed(tmp_path / "data", loaded_dump, tmp_path / "dump", one_advisory)
    before = archived_bytes(archive_of(resources), KEY)
    source_of(resources).fetch(NEXT_KEY, silent)
    assert archived_bytes(archive_of(resources), KEY) == before


# ---------------------------------------------------------------------------------------------------------------------
# Changing and failing servers, killed processes, full disks.


def noise(size: int, seed: int) -> str:
    """Text that compresses to a half at best."""
    return random.Random(seed).randbytes(size // 2).hex()


def large_dump() -> Dump:
    """The small dump with large unused tables and one large table that is used."""
    dump = small_dump()
    dump["reserved_usernames"] = [{"username": noise(2000, i)} for i in range(1500)]
    dump["keywords"] = [{**dump["keywords"][0], "id": i, "keyword": noise(2000, 9000 + i)} for i in range(500)]
    dump["crates"] = [{**c, "readme": noise(200_000, c["id"])} for c in dump["crates"]]
    return dump


@pytest.fixture(scope="module")
def large_zip() -> bytes:
    return zip_bytes(large_dump(), NEWEST, SMALL_AT)


def compressed_bytes(data: bytes, *tables: str) -> int:
    """The compressed size of tables."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return sum(archive.getinfo(f"data/{table}.csv").compress_size for table in tables)


# the end of the file twice, metadata.json, and a local header for each table
ALLOWANCE = 2 * TAIL_BYTES + 5_000


def test_only_used_tables_that_changed_are_fetched(
    tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    server.files[ZIP] = large_zip
    resources = live_resources(tmp_path / "data", server.url + ZIP, one_advisory)
    snapshot = source_of(resources).fetch(KEY, silent)
    used = compressed_bytes(large_zip, *CSV_TABLES)
    assert used < server.bytes_sent(ZIP) <= used + ALLOWANCE < 0.6 * len(large_zip)
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
    changed = compressed_bytes(later_zip, "version_downloads")
    assert changed < server.bytes_sent(ZIP) <= changed + ALLOWANCE
    assert later.bytes_fetched == server.bytes_sent(ZIP)
    # unchanged files are stored once
    archive = archive_of(resources)
    first, second = archive.require(KEY).files, archive.require(NEXT_KEY).files
    assert {name for name in first if first[name] != second[name]} == {"version_downloads"}
    assert {path.name for path in archive.objects.iterdir()} == {f.object for f in (*first.values(), *second.values())}
    assert list(archive.partial.iterdir()) == []
    assert archive.disk_usage() == {
        KEY: (snapshot.bytes, snapshot.bytes),
        NEXT_KEY: (later.bytes, second["version_downloads"].stored_bytes),
    }


def test_time_of_the_newest_dump_costs_few_bytes(
    tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    server.files |= {ZIP: large_zip, TAR: tar_gz_bytes(large_dump(), NEWEST, SMALL_AT)}
    assert source_of(live_resources(tmp_path, server.url + ZIP, one_advisory)).newest().key == KEY
    assert server.bytes_sent(ZIP) <= TAIL_BYTES + 1_000
    assert source_of(live_resources(tmp_path, server.url + TAR, one_advisory)).newest().key == KEY
    assert server.bytes_sent(TAR) <= (1 << 20) + 2


@pytest.mark.parametrize("path", [ZIP, TAR])
def test_file_replaced_during_a_fetch_is_detected(
    path: str, tmp_path: Path, loaded_dump: Path, one_advisory: Path, server: CratesIoServer
) -> None:
    make = zip_bytes if path == ZIP else tar_gz_bytes
    old, new = large_dump(), large_dump()
    new["crates"][0]["readme"] = "another"
    server.files[path] = make(old, NEWEST, NEXT_AT)
    replaced = make(new, NEWEST, NEXT_AT.replace("11-21", "11-22"))
    # the file is replaced in the middle of its largest part
    server.faults[path] = [*([Fault()] * (8 if path == ZIP else 4)), Fault(disconnect_after=200_000)]
    resources = installed(tmp_path / "data", loaded_dump, server.url + path, one_advisory)

    def progress(file: str, done: int, total: int) -> None:
        if done > 100_000:
            server.files[path] = replaced

    with pytest.raises(SourceChanged, match=r"was replaced on the server: .*start again"):
        source_of(resources).fetch(NEXT_KEY, silent, progress)
    assert archive_of(resources).keys() == [KEY]
    assert source_of(resources).fetch("2026-11-22", silent).key == "2026-11-22"
    assert list(archive_of(resources).partial.iterdir()) == []


def test_interrupted_fetch_continues(
    tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    server.files[ZIP] = large_zip
    uninterrupted = source_of(live_resources(tmp_path / "uninterrupted", server.url + ZIP, one_advisory)).fetch(
        KEY, silent
    )
    server.requests.clear()
    server.faults[ZIP] = [*([Fault()] * 8), Fault(disconnect_after=300_000), Fault(disconnect_after=200_000)]
    interrupted = source_of(live_resources(tmp_path / "b", server.url + ZIP, one_advisory)).fetch(KEY, silent)
    assert server.faults[ZIP] == []
    assert interrupted.sha256 == uninterrupted.sha256
    assert server.bytes_sent(ZIP) == uninterrupted.bytes_fetched


# imports CratesIoDump only, which is faster than the whole pipeline
SOURCE = """
import sys
from resources.common.errors import CannotWrite
from resources.crates_io.dump.source import CratesIoDump
def source(data, dump, advisories):
    return CratesIoDump(folder=data + "/snapshots", dump=dump, contact="tests@example.org", advisory_db=advisories,
                        static_url="", history_days=0, keep=1)
def progress(file, done, total):
    print(file, done, flush=True)
"""
FETCH = f"""{SOURCE}
print("fetched", source(*sys.argv[1:4]).fetch("{KEY}", print, progress).sha256)
"""


def start_fetch(data: Path, dump: str, advisories: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FETCH, str(data), dump, str(advisories)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("path", [ZIP, TAR])
def test_fetch_continues_after_a_kill(
    path: str, tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    server.files[path] = data = large_zip if path == ZIP else tar_gz_bytes(large_dump(), NEWEST, SMALL_AT)
    resources = live_resources(tmp_path / "data", server.url + path, one_advisory)
    # the first requests are for metadata; the next one, for a table or the tar, is slow
    server.faults[path] = [*([Fault()] * (8 if path == ZIP else 4)), Fault(pause_s=0.02, piece=1 << 15)]
    process = start_fetch(tmp_path / "data", server.url + path, one_advisory)
    assert process.stdout
    for line in process.stdout:
        if int(line.split()[-1]) > 600_000:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert archive_of(resources).keys() == []
    [partial_size] = [p.stat().st_size for p in archive_of(resources).partial.iterdir()]
    assert partial_size > 500_000
    server.faults[path] = []
    server.requests.clear()
    snapshot = source_of(resources).fetch(KEY, silent)
    whole = compressed_bytes(large_zip, *CSV_TABLES) + ALLOWANCE if path == ZIP else len(data) + (1 << 20) + 10
    assert server.bytes_sent(path) <= whole - partial_size
    assert archived_bytes(archive_of(resources), KEY)
    assert snapshot.bytes_fetched == server.bytes_sent(path)


def test_tables_are_not_fetched_again_after_a_later_failure(
    tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    """The advisory database may be unreachable after the dump was fetched."""
    server.files[ZIP] = large_zip
    failing = source_of(live_resources(tmp_path / "data", server.url + ZIP, tmp_path / "nowhere"))
    with pytest.raises(Exception, match=r"cannot fetch .*nowhere"):
        failing.fetch(KEY, silent)
    assert failing.archive.keys() == []
    # one of them is truncated in the meantime
    truncated = next(path for path in failing.archive.objects.iterdir() if path.name.startswith("users"))
    truncated.write_bytes(truncated.read_bytes()[:-20])
    server.requests.clear()
    source_of(live_resources(tmp_path / "data", server.url + ZIP, one_advisory)).fetch(KEY, silent)
    assert server.bytes_sent(ZIP) <= compressed_bytes(large_zip, "users") + ALLOWANCE


def test_two_processes_fetch_a_dump_once(
    tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    server.files[ZIP] = large_zip
    processes = [start_fetch(tmp_path / "data", server.url + ZIP, one_advisory) for _ in range(2)]
    outputs = [process.communicate(timeout=100)[0].splitlines()[-1] for process in processes]
    assert outputs[0] == outputs[1]
    assert outputs[0].startswith("fetched ")
    assert server.bytes_sent(ZIP) <= compressed_bytes(large_zip, *CSV_TABLES) + ALLOWANCE


def test_prune_waits_for_a_running_fetch(
    tmp_path: Path, one_advisory: Path, server: CratesIoServer, large_zip: bytes
) -> None:
    """The files of a running fetch are not in any snapshot yet, and must not be removed."""
    server.files[ZIP] = large_zip
    server.faults[ZIP] = [*([Fault()] * 10), Fault(pause_s=0.01, piece=1 << 13)]
    process = start_fetch(tmp_path / "data", server.url + ZIP, one_advisory)
    resources = live_resources(tmp_path / "data", server.url + ZIP, one_advisory)
    assert process.stdout
    for line in process.stdout:
        if not line.startswith("data/crates.csv"):
            break
    assert archive_of(resources).prune(1) == []
    assert "fetched" in process.communicate(timeout=100)[0]
    assert archived_bytes(archive_of(resources), KEY)


FULL_DISK = f"""{SOURCE}
data, first, second, advisories = sys.argv[1:5]
source(data, first, advisories).fetch("{KEY}", print)
later = source(data, second, advisories)
try:
    later.fetch("{NEXT_KEY}", print)
except CannotWrite as error:
    print(error)
files = later.archive.require("{KEY}").files
print("snapshots:", later.archive.keys(), len([later.archive.verified_path(file) for file in files.values()]))
"""


def test_full_disk_leaves_the_earlier_snapshot(tmp_path: Path, one_advisory: Path, loaded_dump: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow a test to mount a file system")
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "large.zip").write_bytes(zip_bytes(large_dump(), NEWEST, NEXT_AT))
    script = 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" -c "$3" "$1" "$4" "$5" "$6"'
    given = [str(loaded_dump.parent / "dump.zip"), str(tmp_path / "large.zip"), str(one_advisory)]
    command = ["unshare", "-rm", "sh", "-c", script, "sh", str(data), sys.executable, FULL_DISK, *given]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert "No space left on device. Free space there" in done.stdout, done.stdout + done.stderr
    assert f"snapshots: ['{KEY}'] {len(CSV_TABLES) + 2}" in done.stdout


def test_folder_that_is_not_writable_is_reported(tmp_path: Path, one_advisory: Path, loaded_dump: Path) -> None:
    (tmp_path / "file").write_text("")
    source = source_of(live_resources(tmp_path / "file", loaded_dump.parent / "dump.zip", one_advisory))
    with pytest.raises(CannotWrite, match=r"cannot write .*set CRATES_DATA to a folder that can be written"):
        source.fetch(KEY, silent)


# ---------------------------------------------------------------------------------------------------------------------
# Retention.

DAYS = ["2026-08-30", "2026-09-01", "2026-09-02", "2026-09-15", "2026-10-03", "2026-10-04", "2026-11-01", "2026-11-02"]


def with_days(archive: SnapshotArchive, loaded: SnapshotArchive) -> SnapshotArchive:
    """Snapshots of several days: each has a file of its own and shares another with one neighbour."""
    shutil.copytree(loaded.folder, archive.folder)
    snapshot = archive.require(KEY)
    (archive.folder / f"{KEY}.json").unlink()
    template = snapshot.files["teams"]
    for path in archive.objects.iterdir():
        path.unlink()
    for number, key in enumerate(DAYS):
        files = {}
        for name, label in (("teams", f"own{number}"), ("users", f"shared{number // 2}")):
            (archive.objects / label).write_text(label)
            files[name] = replace(template, object=label, crc32=number, stored_bytes=len(label))
        archive.publish(key, replace(snapshot, files=files))
    return archive


def test_prune_retains_the_newest_and_the_first_of_each_month(tmp_path: Path, loaded_dump: Path) -> None:
    archive = with_days(SnapshotArchive(tmp_path / "snapshots"), SnapshotArchive(loaded_dump / "snapshots"))
    assert archive.disk_usage()["2026-09-01"] == (len("own1") + len("shared0"), len("own1"))
    (archive.objects / "of a failed fetch").write_text("")
    removed = archive.prune(2)
    assert removed == ["2026-09-02", "2026-09-15", "2026-10-04"]
    assert archive.keys() == ["2026-08-30", "2026-09-01", "2026-10-03", "2026-11-01", "2026-11-02"]
    assert None not in map(archive.find, archive.keys())
    assert {path.name for path in archive.objects.iterdir()} == {
        *(f"own{i}" for i in (0, 1, 4, 6, 7)),
        *(f"shared{i}" for i in (0, 2, 3)),
    }
    assert archive.prune(2) == []


def test_prune_retains_the_files_of_an_incomplete_snapshot(tmp_path: Path, loaded_dump: Path) -> None:
    archive = with_days(SnapshotArchive(tmp_path / "snapshots"), SnapshotArchive(loaded_dump / "snapshots"))
    (archive.objects / "own7").unlink()
    assert archive.find("2026-11-02") is None
    archive.prune(2)
    assert (archive.objects / "shared3").exists()
    with pytest.raises(BadInput, match=r"snapshot 2026-11-02 is not in .*materialize snapshots for it first"):
        archive.require("2026-11-02")


def test_corrupt_file_is_reported_and_fetched_again(tmp_path: Path, loaded_dump: Path, one_advisory: Path) -> None:
    resources = installed(tmp_path / "data", loaded_dump, loaded_dump.parent / "dump.zip", one_advisory)
    archive, before = archive_of(resources), state(resources)
    path = archive.objects / archive.require(KEY).files["crates"].object
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        BadInput, match=rf"{path.name} is missing, truncated or corrupt: delete it, then materialize snapshots"
    ):
        load(resources, KEY, ["crates"])
    assert state(resources) == before
    path.unlink()
    assert load(resources) == before


def test_invalid_snapshot_record_is_reported(tmp_path: Path, loaded_dump: Path, one_advisory: Path) -> None:
    resources = installed(tmp_path / "data", loaded_dump, loaded_dump.parent / "dump.zip", one_advisory)
    for text in ("", "{", "[]", "{}", '{"files": {"crates": {"size": 1}}, "notes": []}'):
        (archive_of(resources).folder / f"{KEY}.json").write_text(text)
        with pytest.raises(BadInput, match=rf"{KEY}\.json is invalid .*delete it, then materialize snapshots again"):
            archive_of(resources).require(KEY)
