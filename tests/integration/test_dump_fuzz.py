"""Fuzzed dumps give a clear error or valid tables, without a crash, a hang or much memory.

The tests try CRATES_FUZZ_EXAMPLES / 2 sets of tables, and five times CRATES_FUZZ_EXAMPLES of each archive (default 20).
A long run: `CRATES_FUZZ_EXAMPLES=2000 pytest tests/integration/test_dump_fuzz.py`.
"""

import gzip
import io
import os
import resource
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.common.errors import BadInput
from resources.crates_io.dump import source as dump_source
from resources.crates_io.dump.csv_tables import describe_malformed_line, read_header
from resources.crates_io.dump.dump_file import LocalDumpFile
from resources.crates_io.dump.fetch import fetch_tables, taken_at
from resources.crates_io.dump.layout import CSV_TABLES
from resources.crates_io.dump.members import CsvDigest
from resources.registry.snapshot_archive import ArchivedFile, SnapshotArchive
from testing.dumps import SMALL_AT, csv_tables, small_dump, tar_gz_bytes, zip_bytes
from testing.live_source import KEY, NEXT_AT, NEXT_KEY, archive_of, live_resources, pack, silent, source_of, state
from testing.table_builds import build

EXAMPLES = int(os.environ.get("CRATES_FUZZ_EXAMPLES", "20"))
NEWEST = "2026-08"
MAX_ADDED_MEMORY = 400_000  # kB
FUZZ = settings(
    max_examples=5 * EXAMPLES,
    deadline=None,  # pytest-timeout ends a hang
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SEEDS = {
    "zip": zip_bytes(small_dump(), NEWEST, SMALL_AT),
    "short zip": pack(dict.fromkeys(CSV_TABLES, b"id\n")),
    "tar": tar_gz_bytes(small_dump(), NEWEST, SMALL_AT),
    "plain tar": gzip.decompress(tar_gz_bytes(small_dump(), NEWEST, SMALL_AT)),  # fuzzed before it is compressed
}
TABLES = csv_tables(small_dump(), NEWEST)
# bytes that break parsers
PIECES = [
    *(b"", b"\0", b"\xff" * 4, b"\xff" * 8, b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"),
    *(b"../", b"\x1f\x8b", b"ustar\0", b"x", b"L", b"S", b"7777777", b"\x80\0\0\0\xff\xff\xff\xff"),
    *(b'"', b'""', b'","', b"\n", b"\r\n", b",", b"\\.", b"\xc3\x28", b"{", b"}", b"NULL", b"infinity", b"-1", b"1e9"),
    *(b'"\n"', b"\n\n", b",,,,,,,,", b"9" * 30, b"t", b"'; drop table crates; --", "→".encode()),
]


@st.composite
def mutations(draw: st.DrawFn, max_edits: int = 6) -> list[tuple[float, int, bytes]]:
    """Edits: position (as a share of the size), number of bytes to remove, and bytes to insert."""
    piece = st.one_of(st.sampled_from(PIECES), st.binary(max_size=6))
    edit = st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 1, 1, 2, 4, 8, 300]), piece)
    return draw(st.lists(edit, min_size=1, max_size=max_edits))


def mutated(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for share, removed, piece in edits:
        at = int(share * len(data))
        data = data[:at] + piece + data[at + removed :]
    return data


def in_bounds(attempt: Callable[[], object]) -> object:
    """The result of `attempt`, or None if it raises BadInput. Asserts that it takes little memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        return attempt()
    except BadInput as error:
        assert str(error)
        return None
    finally:
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_ADDED_MEMORY


@pytest.mark.parametrize("seed", SEEDS)
def test_fuzz_archives(seed: str) -> None:
    @FUZZ
    @given(mutations())
    def run(edits: list[tuple[float, int, bytes]]) -> None:
        data = mutated(SEEDS[seed], edits)
        with TemporaryDirectory() as name:
            path = Path(name) / "dump"
            path.write_bytes(gzip.compress(data, 1) if seed == "plain tar" else data)
            archive = SnapshotArchive(Path(name) / "snapshots")
            in_bounds(lambda: taken_at(LocalDumpFile(path)))

            def fetch() -> dict[str, ArchivedFile]:
                with archive.fetch_lock():
                    return fetch_tables(LocalDumpFile(path), archive, "x", lambda what, done, size: None)[0]

            files = in_bounds(fetch)
            assert isinstance(files, dict | None)
            for table, file in (files or {}).items():
                content = gzip.decompress(archive.verified_path(file).read_bytes())
                assert (zlib.crc32(content), len(content)) == (file.crc32, file.bytes)
                in_bounds(lambda table=table, file=file: read_header(archive.objects / file.object, CSV_TABLES[table]))

    run()


@FUZZ
@given(st.lists(st.sampled_from([b'"', b'""', b"a", b",", b"\n", b"\r"]), max_size=30), st.integers(1, 7))
def test_fuzz_record_count_does_not_depend_on_chunks(pieces: list[bytes], size: int) -> None:
    text = b"".join([*pieces, b"\n"])
    digest, inside, records, has_return = CsvDigest(), False, 0, False
    for at in range(0, len(text), size):
        digest.add(text[at : at + size])
    for byte in text:
        inside ^= byte == ord('"')
        records += byte == ord("\n") and not inside
        has_return |= byte == ord("\r") and not inside
    assert (digest.records, digest.size, digest.crc32) == (records, len(text), zlib.crc32(text))
    assert digest.is_well_formed == (not inside and not has_return)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.gz"
        path.write_bytes(gzip.compress(text, 1))
        if not digest.is_well_formed:
            assert describe_malformed_line(path).startswith("line ")


@pytest.fixture
def without_advisories(monkeypatch: pytest.MonkeyPatch, loaded_dump: Path) -> None:
    """Uses the advisory database of the day before: git is not fuzzed here."""
    files = SnapshotArchive(loaded_dump / "snapshots").require(KEY).files
    advisories = {name: file for name, file in files.items() if name.startswith("advisories")}
    monkeypatch.setattr(dump_source, "archive_advisories", lambda archive, url: advisories)


@pytest.mark.usefixtures("without_advisories")
def test_fuzz_tables(tmp_path: Path, loaded_dump: Path, one_advisory: Path) -> None:
    """The whole load: published tables satisfy their contracts, and earlier tables are unchanged."""
    shutil.copytree(loaded_dump, tmp_path / "data")
    resources = live_resources(tmp_path / "data", tmp_path / "dump", one_advisory)
    before = state(resources)
    edited = st.dictionaries(
        st.sampled_from(["crates", "versions", "dependencies", "crate_owners", "version_downloads", "users"]),
        mutations(max_edits=3),
        min_size=1,
        max_size=2,
    )

    def load_all() -> None:
        for table in ("snapshots", "crates", "versions", "dependencies", "owners", "downloads"):
            built = build(table, NEXT_KEY, resources)
            failed = {outcome.name for outcome in built.outcomes if not outcome.passed}
            # lost rows are only detected by their number; the row checks detect everything else
            assert failed <= {"row_count"}, built.outcomes
            if failed:
                return

    @settings(parent=FUZZ, max_examples=EXAMPLES // 2 + 1)
    @given(edited)
    def run(edits: dict[str, list[tuple[float, int, bytes]]]) -> None:
        tables = {name: mutated(content, edits.get(name, [])) for name, content in TABLES.items()}
        (tmp_path / "dump").write_bytes(pack(tables, NEXT_AT))
        (archive_of(resources).folder / f"{NEXT_KEY}.json").unlink(missing_ok=True)
        in_bounds(lambda: source_of(resources).fetch(NEXT_KEY, silent))
        if archive_of(resources).find(NEXT_KEY):
            in_bounds(load_all)
        found = state(resources)
        assert {place: found[place] for place in before} == before

    run()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE])
def test_header_with_a_huge_size_takes_little_memory(kind: bytes, tmp_path: Path) -> None:
    """A name of 2 GB that compresses a thousandfold."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 2_000_000_000
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as zipped:
        zipped.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(200):
            zipped.write(bytes(1 << 20))
    (tmp_path / "dump").write_bytes(out.getvalue())
    assert in_bounds(lambda: taken_at(LocalDumpFile(tmp_path / "dump"))) is None
