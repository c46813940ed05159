"""The sparse index: real forms of lines, lines that break the format one by one, and what goes over the wire."""

import json
from collections.abc import Iterator
from datetime import datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.common.errors import BadInput
from resources.common.http.client import HttpClient
from resources.crates_io import sparse_index
from resources.crates_io.sparse_index import (
    DEPENDENCIES,
    PARALLEL,
    VERSIONS,
    RejectedLine,
    fetch_crates,
    index_path,
    read_index_file,
)
from testing.crates_io_server import CratesIoServer, Fault
from testing.fuzzing import times

CONTACT = "tests@example.org"
SUMS = ["1f" * 32, "2e" * 32, "3d" * 32]
# as crates.io writes them: an old line without the newer fields, one with kind null, one of format 2
OLD = (
    '{"name":"Foo","vers":"0.1.0","deps":[{"name":"rand","req":"^0.6","features":["i128_support"],"optional":false,'
    f'"default_features":true,"target":null,"kind":"normal"}}],"cksum":"{SUMS[0]}","features":{{}},"yanked":true}}'
)
KINDLESS = (
    '{"name":"Foo","vers":"0.2.0","deps":[{"name":"libc","req":">= 0.1","features":[],"optional":true,'
    '"default_features":false,"target":"cfg(unix)","kind":null},{"name":"gcc","req":"*","features":[],'
    f'"optional":false,"default_features":true,"target":null,"kind":"build"}}],"cksum":"{SUMS[1]}",'
    '"features":{"extras":["rand/simd_support"]},"yanked":false,"links":"foo"}'
)
NEW = (
    '{"name":"Foo","vers":"1.0.0+b.1","deps":[{"name":"rng","req":"^0.9","features":[],"optional":false,'
    '"default_features":true,"target":null,"kind":"dev","registry":null,"package":"rand"}],'
    f'"cksum":"{SUMS[2]}","features":{{"extras":[],"default":["serde"]}},"features2":{{"serde":["dep:serde"]}},'
    '"yanked":false,"rust_version":"1.70","pubtime":"2025-11-18T08:58:23Z","v":2}'
)


def index_file(*lines: str | bytes) -> bytes:
    return b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)


def line(vers: str = "1.0.0", **changes: object) -> str:
    """A line of the crate foo."""
    entry = {"name": "foo", "vers": vers, "deps": [], "cksum": SUMS[0], "features": {}, "yanked": False, **changes}
    return json.dumps({key: value for key, value in entry.items() if value != "absent"})


def dependency(**changes: object) -> dict:
    dep = {"name": "rand", "req": "^1", "features": [], "optional": False, "default_features": True, "kind": "normal"}
    return {key: value for key, value in (dep | changes).items() if value != "absent"}


@pytest.fixture
def site() -> Iterator[CratesIoServer]:
    with CratesIoServer() as server:
        yield server


@pytest.mark.parametrize(
    ("name", "path"),
    [("a", "1/a"), ("Ab", "2/ab"), ("abc", "3/a/abc"), ("AbCdef", "ab/cd/abcdef"), ("a-_9", "a-/_9/a-_9")],
)
def test_path_of_a_crate(name: str, path: str) -> None:
    assert index_path(name) == path


@pytest.mark.parametrize("name", ["", "../secrets", "a/b", "1a", "é", "a" * 65, "a\n", "a b", "%2e"])
def test_no_path_for_what_is_no_crate_name(name: str) -> None:
    with pytest.raises(BadInput, match="no crate name"):
        index_path(name)


def test_reads_the_real_forms_of_lines() -> None:
    rejected: list[RejectedLine] = []
    versions, dependencies = read_index_file(index_file(OLD, KINDLESS, NEW), "foo", rejected)
    assert rejected == []
    assert (versions.schema, dependencies.schema) == (VERSIONS, DEPENDENCIES)
    published = datetime(2025, 11, 18, 8, 58, 23)
    assert [tuple(row.values()) for row in versions.to_pylist()] == [
        ("Foo", "0.1.0", 0, True, None, [], None, None, SUMS[0]),
        ("Foo", "0.2.0", 1, False, None, ["extras"], "foo", None, SUMS[1]),
        ("Foo", "1.0.0+b.1", 2, False, published, ["default", "extras", "serde"], None, "1.70", SUMS[2]),
    ]
    assert [tuple(row.values()) for row in dependencies.to_pylist()] == [
        ("Foo", "0.1.0", "rand", "^0.6", "normal", False, True, None, None),
        ("Foo", "0.2.0", "libc", ">= 0.1", "normal", True, False, "cfg(unix)", None),
        ("Foo", "0.2.0", "gcc", "*", "build", False, True, None, None),
        ("Foo", "1.0.0+b.1", "rand", "^0.9", "dev", False, True, None, "rng"),
    ]


def test_an_empty_file_has_no_versions() -> None:
    versions, dependencies = read_index_file(b"", "foo", [])
    assert (versions, dependencies) == (VERSIONS.empty_table(), DEPENDENCIES.empty_table())


def test_of_two_lines_of_a_version_the_last_stands_at_its_own_place() -> None:
    """As in Cargo; wright 0.2.2 and stitch 0.1.0 stood so in the registry, with the wrong checksum first."""
    twice = index_file(
        line("0.2.2", deps=[dependency(name="left")], cksum=SUMS[1]),
        line("0.2.3"),
        line("0.2.2", deps=[dependency(name="right")], cksum=SUMS[2], yanked=True),
        line("0.2.2+build"),
    )
    versions, dependencies = read_index_file(twice, "foo", [])
    assert versions.select(["num", "position", "yanked", "checksum"]).to_pylist() == [
        {"num": "0.2.3", "position": 1, "yanked": False, "checksum": SUMS[0]},
        {"num": "0.2.2", "position": 2, "yanked": True, "checksum": SUMS[2]},
        {"num": "0.2.2+build", "position": 3, "yanked": False, "checksum": SUMS[0]},
    ]
    assert dependencies["dependency"].to_pylist() == ["right"]


DEEP = '{"name":"foo","deps":' + "[" * 100_000
BAD_LINES = {
    "broken JSON": ('{"name":"foo",', "not JSON"),
    "nested without end": (DEEP, "not JSON"),
    "a number of a million digits": ('{"name":"foo","v":' + "1" * 1_000_000 + "}", "not JSON"),
    "not an object": ("[1]", "a list"),
    "not UTF-8": (b'{"name":"f\xff"}', "not UTF-8"),
    "half a character": (r'{"name":"f\ud800"}', "name"),
    "NUL": (line(links="a\0b"), "links"),
    "another crate": (line(name="bar"), "crate 'bar'"),
    "no name": (line(name="absent"), "name is missing"),
    "format 3": (line(v=3), "v is 3"),
    "format true": (line(v=True), "v is True"),
    "format 0": (line(v=0), "v is 0"),
    "no version": (line(vers="absent"), "vers is missing"),
    "a path as version": (line(vers="1/../../x"), "vers is '1/../../x'"),
    "an endless version": (line(vers="1." + "0" * 200), "vers"),
    "no checksum": (line(cksum="absent"), "cksum is missing"),
    "a short checksum": (line(cksum="12"), "cksum is '12'"),
    "yanked as text": (line(yanked="false"), "yanked is 'false'"),
    "features as list": (line(features=["a"]), "features is ['a']"),
    "features2 as text": (line(features2={"a": "b"}), "features2"),
    "half a feature": (line(features={"\udfff": []}), "features"),
    "a time with a zone": (line(pubtime="2025-11-18T08:58:23+02:00"), "pubtime"),
    "a week date": (line(pubtime="2025-W46-3T19:30:12Z"), "pubtime"),
    "the 30th of February": (line(pubtime="2025-02-30T08:58:23Z"), "pubtime"),
    "no deps": (line(deps="absent"), "deps"),
    "deps of text": (line(deps=["rand"]), "deps"),
    "a dep without requirement": (line(deps=[dependency(req="absent")]), "req is missing"),
    "a dep of unknown kind": (line(deps=[dependency(kind="peer")]), "kind of dependency 'rand' is 'peer'"),
    "a dep optional as number": (line(deps=[dependency(optional=1)]), "optional is 1"),
}


@pytest.mark.parametrize("what", BAD_LINES)
def test_a_bad_line_is_set_aside_and_the_others_stay(what: str) -> None:
    bad, reason = BAD_LINES[what]
    rejected: list[RejectedLine] = []
    versions, _ = read_index_file(index_file(line("0.1.0"), bad, line("0.3.0")), "foo", rejected)
    assert versions.select(["num", "position"]).to_pylist() == [
        {"num": "0.1.0", "position": 0},
        {"num": "0.3.0", "position": 2},
    ]
    assert [(r.name, r.line) for r in rejected] == [("foo", 2)]
    assert reason in rejected[0].reason
    assert len(rejected[0].reason) < 300


def test_lines_and_files_too_long_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_index, "MOST_BYTES_OF_LINE", 200)
    monkeypatch.setattr(sparse_index, "MOST_BYTES_OF_FILE", 2000)
    rejected: list[RejectedLine] = []
    versions, _ = read_index_file(index_file(line("1.0.0", rust_version="1" * 300), line("1.1.0")), "foo", rejected)
    assert versions["num"].to_pylist() == ["1.1.0"]
    assert "expected at most 200" in rejected[0].reason
    with pytest.raises(BadInput, match="expected at most 2000"):
        read_index_file(bytes(2001), "foo", [])


def test_a_dependency_of_another_registry_is_set_aside_alone() -> None:
    here = [None, "https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"]
    deps = [dependency(name=f"d{i}", registry=registry) for i, registry in enumerate(here)]
    deps.append(dependency(name="inner", registry="https://example.org/index"))
    rejected: list[RejectedLine] = []
    versions, dependencies = read_index_file(index_file(line("1.0.0", deps=deps)), "foo", rejected)
    assert versions.num_rows == 1
    assert dependencies["dependency"].to_pylist() == ["d0", "d1", "d2"]
    reason = "dependency 'inner' of 1.0.0 is of the registry 'https://example.org/index'"
    assert rejected == [RejectedLine("foo", 1, reason)]


@settings(max_examples=times(300), deadline=None)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 8))
def test_whatever_the_bytes_the_untouched_lines_stay(seed: int, changes: int) -> None:
    random = Random(seed)
    broken = bytearray(random.choice([OLD, KINDLESS, NEW]).encode())
    for _ in range(changes):
        at = random.randrange(len(broken))
        broken[at : at + random.randrange(3)] = random.choice(
            [bytes([random.randrange(256)]), b'"', b"[", b"\\u", b"0"]
        )
    rejected: list[RejectedLine] = []
    # a change may break the line in several, or make it another good line of the crate
    versions, _ = read_index_file(index_file(line("7.0.0"), bytes(broken), line("8.0.0")), "foo", rejected)
    nums = versions["num"].to_pylist()
    assert nums[0] == "7.0.0"
    assert nums[-1] == "8.0.0"
    assert len(nums) + len(rejected) >= 2


def test_files_are_fetched_once_and_only_when_changed(site: CratesIoServer) -> None:
    site.files = {"/fo/o-/foo-bar": index_file(line()), "/3/b/bar": b"x"}
    client = HttpClient(CONTACT)
    names = ["Foo-bar", "gone", "bar", "Foo-bar"]
    first = list(fetch_crates(client, f"{site.url}/", names, {}))
    assert [(f.name, f.status) for f in first] == [("Foo-bar", 200), ("gone", 404), ("bar", 200)]
    assert [f.body for f in first] == [index_file(line()), b"", b"x"]
    assert len(site.requests) == 3

    site.files["/3/b/bar"] = b"y"
    validators = {f.name: f.etag for f in first if f.etag}
    second = list(fetch_crates(client, site.url, names, validators))
    assert [(f.status, f.body) for f in second] == [(304, b""), (404, b""), (200, b"y")]
    assert second[0].etag == first[0].etag
    assert second[2].etag != first[2].etag
    assert site.bytes_sent("/fo/o-/foo-bar") == len(index_file(line()))


def test_answers_come_in_order_and_requests_go_together(site: CratesIoServer) -> None:
    names = [f"crate{i:02}" for i in range(3 * PARALLEL)]
    site.files = {f"/{index_path(name)}": name.encode() for name in names}
    site.faults = {"/cr/at/crate00": [Fault(piece=1, pause_s=0.1)]}
    fetched = fetch_crates(HttpClient(CONTACT), site.url, names, {})
    assert next(fetched).name == "crate00"
    assert len(site.requests) == PARALLEL
    assert max(r.at for r in site.requests) - site.requests[0].at < 0.5  # the first takes longer alone
    assert [f.body.decode() for f in fetched] == names[1:]


def test_a_server_that_refuses_stops_the_reading(site: CratesIoServer) -> None:
    site.faults = {"/3/f/foo": [Fault(status=403)]}
    with pytest.raises(BadInput, match="403"):
        list(fetch_crates(HttpClient(CONTACT), site.url, ["foo", "bar"], {}))
    with pytest.raises(BadInput, match="no crate name"):
        list(fetch_crates(HttpClient(CONTACT), site.url, ["../foo"], {}))
