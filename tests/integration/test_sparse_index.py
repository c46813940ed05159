"""The sparse index: valid and invalid lines, and the requests that are sent."""

import json
from collections.abc import Iterator
from datetime import datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.common.errors import BadInput
from resources.common.http.client import HttpClient
from resources.crates_io import index_format
from resources.crates_io.index_format import DEPENDENCIES, VERSIONS, RejectedLine, parse_index_file
from resources.crates_io.sparse_index import MAX_CONCURRENT_REQUESTS, fetch_index_files, index_path
from testing.crates_io_server import CratesIoServer, Fault
from testing.fuzzing import times

CONTACT = "tests@example.org"
SUMS = ["1f" * 32, "2e" * 32, "3d" * 32]
# lines of crates.io: an old one without newer fields, one with a null kind, one of format 2
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
def test_index_path_of_a_crate(name: str, path: str) -> None:
    assert index_path(name) == path


@pytest.mark.parametrize("name", ["", "../secrets", "a/b", "1a", "é", "a" * 65, "a\n", "a b", "%2e"])
def test_invalid_crate_name_has_no_path(name: str) -> None:
    with pytest.raises(BadInput, match="not a valid crate name"):
        index_path(name)


def test_lines_of_all_formats_are_parsed() -> None:
    rejected: list[RejectedLine] = []
    versions, dependencies = parse_index_file(index_file(OLD, KINDLESS, NEW), "foo", rejected)
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


def test_empty_file_has_no_versions() -> None:
    versions, dependencies = parse_index_file(b"", "foo", [])
    assert (versions, dependencies) == (VERSIONS.empty_table(), DEPENDENCIES.empty_table())


def test_last_line_of_a_duplicate_version_is_used() -> None:
    """As in Cargo; wright 0.2.2 and stitch 0.1.0 had two lines in the registry, the first with a wrong checksum."""
    twice = index_file(
        line("0.2.2", deps=[dependency(name="left")], cksum=SUMS[1]),
        line("0.2.3"),
        line("0.2.2", deps=[dependency(name="right")], cksum=SUMS[2], yanked=True),
        line("0.2.2+build"),
    )
    versions, dependencies = parse_index_file(twice, "foo", [])
    assert versions.select(["num", "position", "yanked", "checksum"]).to_pylist() == [
        {"num": "0.2.3", "position": 1, "yanked": False, "checksum": SUMS[0]},
        {"num": "0.2.2", "position": 2, "yanked": True, "checksum": SUMS[2]},
        {"num": "0.2.2+build", "position": 3, "yanked": False, "checksum": SUMS[0]},
    ]
    assert dependencies["dependency"].to_pylist() == ["right"]


DEEP = '{"name":"foo","deps":' + "[" * 100_000
INVALID_LINES = {
    "invalid JSON": ('{"name":"foo",', "not JSON"),
    "deeply nested": (DEEP, "not JSON"),
    "a number of a million digits": ('{"name":"foo","v":' + "1" * 1_000_000 + "}", "not JSON"),
    "not an object": ("[1]", "a list"),
    "not UTF-8": (b'{"name":"f\xff"}', "not UTF-8"),
    "lone surrogate": (r'{"name":"f\ud800"}', "name"),
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
    "lone surrogate in a feature": (line(features={"\udfff": []}), "features"),
    "a time with a zone": (line(pubtime="2025-11-18T08:58:23+02:00"), "pubtime"),
    "a week date": (line(pubtime="2025-W46-3T19:30:12Z"), "pubtime"),
    "the 30th of February": (line(pubtime="2025-02-30T08:58:23Z"), "pubtime"),
    "no deps": (line(deps="absent"), "deps"),
    "deps of text": (line(deps=["rand"]), "deps"),
    "a dep without requirement": (line(deps=[dependency(req="absent")]), "req is missing"),
    "a dep of unknown kind": (line(deps=[dependency(kind="peer")]), "kind of dependency 'rand' is 'peer'"),
    "a dep optional as number": (line(deps=[dependency(optional=1)]), "optional is 1"),
}


@pytest.mark.parametrize("what", INVALID_LINES)
def test_invalid_line_is_rejected_and_the_others_are_used(what: str) -> None:
    invalid, reason = INVALID_LINES[what]
    rejected: list[RejectedLine] = []
    versions, _ = parse_index_file(index_file(line("0.1.0"), invalid, line("0.3.0")), "foo", rejected)
    assert versions.select(["num", "position"]).to_pylist() == [
        {"num": "0.1.0", "position": 0},
        {"num": "0.3.0", "position": 2},
    ]
    assert [(r.name, r.line) for r in rejected] == [("foo", 2)]
    assert reason in rejected[0].reason
    assert len(rejected[0].reason) < 300


def test_oversized_lines_and_files_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_format, "MAX_LINE_BYTES", 200)
    monkeypatch.setattr(index_format, "MAX_FILE_BYTES", 2000)
    rejected: list[RejectedLine] = []
    versions, _ = parse_index_file(index_file(line("1.0.0", rust_version="1" * 300), line("1.1.0")), "foo", rejected)
    assert versions["num"].to_pylist() == ["1.1.0"]
    assert "expected at most 200" in rejected[0].reason
    with pytest.raises(BadInput, match="expected at most 2000"):
        parse_index_file(bytes(2001), "foo", [])


def test_dependency_from_another_registry_is_rejected_alone() -> None:
    here = [None, "https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"]
    deps = [dependency(name=f"d{i}", registry=registry) for i, registry in enumerate(here)]
    deps.append(dependency(name="inner", registry="https://example.org/index"))
    rejected: list[RejectedLine] = []
    versions, dependencies = parse_index_file(index_file(line("1.0.0", deps=deps)), "foo", rejected)
    assert versions.num_rows == 1
    assert dependencies["dependency"].to_pylist() == ["d0", "d1", "d2"]
    reason = "dependency 'inner' of 1.0.0 is from the registry 'https://example.org/index'"
    assert rejected == [RejectedLine("foo", 1, reason)]


@settings(max_examples=times(300), deadline=None)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 8))
def test_corrupt_lines_do_not_affect_the_others(seed: int, changes: int) -> None:
    random = Random(seed)
    broken = bytearray(random.choice([OLD, KINDLESS, NEW]).encode())
    for _ in range(changes):
        at = random.randrange(len(broken))
        broken[at : at + random.randrange(3)] = random.choice(
            [bytes([random.randrange(256)]), b'"', b"[", b"\\u", b"0"]
        )
    rejected: list[RejectedLine] = []
    # a change may split the line, or make it another valid line of the crate
    versions, _ = parse_index_file(index_file(line("7.0.0"), bytes(broken), line("8.0.0")), "foo", rejected)
    nums = versions["num"].to_pylist()
    assert nums[0] == "7.0.0"
    assert nums[-1] == "8.0.0"
    assert len(nums) + len(rejected) >= 2


def test_files_are_fetched_once_and_only_if_changed(site: CratesIoServer) -> None:
    site.files = {"/fo/o-/foo-bar": index_file(line()), "/3/b/bar": b"x"}
    client = HttpClient(CONTACT)
    names = ["Foo-bar", "gone", "bar", "Foo-bar"]
    first = list(fetch_index_files(client, f"{site.url}/", names, {}))
    assert [(f.name, f.status) for f in first] == [("Foo-bar", 200), ("gone", 404), ("bar", 200)]
    assert [f.body for f in first] == [index_file(line()), b"", b"x"]
    assert len(site.requests) == 3

    site.files["/3/b/bar"] = b"y"
    validators = {f.name: f.etag for f in first if f.etag}
    second = list(fetch_index_files(client, site.url, names, validators))
    assert [(f.status, f.body) for f in second] == [(304, b""), (404, b""), (200, b"y")]
    assert second[0].etag == first[0].etag
    assert second[2].etag != first[2].etag
    assert site.bytes_sent("/fo/o-/foo-bar") == len(index_file(line()))


def test_responses_are_in_order_and_requests_are_concurrent(site: CratesIoServer) -> None:
    names = [f"crate{i:02}" for i in range(3 * MAX_CONCURRENT_REQUESTS)]
    site.files = {f"/{index_path(name)}": name.encode() for name in names}
    site.faults = {"/cr/at/crate00": [Fault(piece=1, pause_s=0.1)]}
    fetched = fetch_index_files(HttpClient(CONTACT), site.url, names, {})
    assert next(fetched).name == "crate00"
    assert len(site.requests) == MAX_CONCURRENT_REQUESTS
    assert max(r.at for r in site.requests) - site.requests[0].at < 0.5  # the first response alone takes longer
    assert [f.body.decode() for f in fetched] == names[1:]


def test_error_status_stops_the_fetch(site: CratesIoServer) -> None:
    site.faults = {"/3/f/foo": [Fault(status=403)]}
    with pytest.raises(BadInput, match="403"):
        list(fetch_index_files(HttpClient(CONTACT), site.url, ["foo", "bar"], {}))
    with pytest.raises(BadInput, match="not a valid crate name"):
        list(fetch_index_files(HttpClient(CONTACT), site.url, ["../foo"], {}))
