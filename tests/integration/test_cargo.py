"""Cargo's version order and requirement matching in SQL, compared with expected cases and a reference."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import product

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.warehouse.session import Sessions, view_files
from testing import semver_reference as semver
from testing.registries import SAMPLE
from testing.semver_reference import U64_MAX, NotSemver

OVER_U64 = U64_MAX + 1
ALL_OPERATORS = ["", "=", ">", ">=", "<", "<=", "~", "^"]

# The use of keys and bounds to match a requirement.
RULE = """
    case
        when not is_valid then false
        when cargo_is_prerelease(version_key)
            then coalesce(list_contains(pre_triples, cargo_key_triple(version_key)), false)
                and version_key >= pre_lower and version_key < pre_upper
        else version_key >= lower and version_key < upper
    end
"""

Pair = tuple[str, str]


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session with the macros, and the bundled registry's versions and dependencies."""
    session = Sessions(scratch=str(tmp_path_factory.mktemp("scratch")), memory="1GB", threads=2).open()
    for name in ("versions", "dependencies"):
        view_files(session, name, [SAMPLE / "registry" / f"{name}.parquet"])
    yield session
    session.close()


def keys_of(con: duckdb.DuckDBPyConnection, texts: list[str]) -> list[str | None]:
    """The key of each version."""
    rows = con.execute("select cargo_version_key(num) from (select unnest($texts) as num)", {"texts": texts}).fetchall()
    return [key for (key,) in rows]


def sorted_by_key(con: duckdb.DuckDBPyConnection, texts: list[str]) -> list[str]:
    """The versions sorted by key in SQL."""
    query = "from (select unnest($texts) as num) order by cargo_version_key(num)"
    return [num for (num,) in con.execute(query, {"texts": texts}).fetchall()]


def sorted_by_reference(texts: Iterable[str]) -> list[str]:
    """The versions in the reference's order."""
    return sorted(texts, key=lambda num: semver.parse_version(num).rank)


def is_valid_in_sql(con: duckdb.DuckDBPyConnection, texts: list[str]) -> list[bool]:
    """Whether each text is a valid requirement."""
    con.register("texts", pa.table({"id": range(len(texts)), "req": texts}))
    query = "select is_valid from texts join cargo_requirement_bounds('texts') using (req) order by id"
    return [valid for (valid,) in con.execute(query).fetchall()]


def matches_in_sql(con: duckdb.DuckDBPyConnection, pairs: list[Pair]) -> list[bool]:
    """Whether the version of each pair matches the requirement."""
    reqs, nums = zip(*pairs)
    con.register("pairs", pa.table({"id": range(len(pairs)), "req": reqs, "num": nums}))
    rows = con.execute(f"""
        select {RULE}
        from (select *, cargo_version_key(num) as version_key from pairs)
        join cargo_requirement_bounds('pairs') using (req)
        order by id
    """).fetchall()
    return [matching for (matching,) in rows]


def matches_in_reference(req: str, num: str) -> bool:
    """Whether the version matches; no version matches an invalid requirement."""
    return is_requirement(req) and semver.matches(semver.parse_requirement(req), semver.parse_version(num))


def is_requirement(text: str) -> bool:
    """Whether the reference can parse it."""
    try:
        semver.parse_requirement(text)
    except NotSemver:
        return False
    return True


def is_version(text: str) -> bool:
    """Whether the reference can parse it."""
    try:
        semver.parse_version(text)
    except NotSemver:
        return False
    return True


# --- expected cases ------------------------------------------------------------------------------------------------

IN_ORDER = [
    "0.0.0-0",
    "0.0.0",
    "0.0.1-alpha",
    "0.0.1",
    "0.0.2",
    "0.0.10",
    "0.1.0",
    "0.2.0",
    "0.10.0",
    # SemVer's own example
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    # numeric identifiers sort first, by value; others sort by their ASCII text
    "1.0.1--",
    "1.0.1--1",
    "1.0.1-0a",
    "1.0.1-1a",
    "1.0.1-A",
    "1.0.1-a",
    "1.0.1-a.0",
    "1.0.1-a.b",
    "1.0.1-a-",
    "1.0.1-a-b",
    "1.0.1-a0",
    "1.0.1-aa",
    "1.0.2-0",
    "1.0.2-0.0",
    "1.0.2-1",
    "1.0.2-2",
    "1.0.2-2.a",
    "1.0.2-10",
    f"1.0.2-{OVER_U64}",
    f"1.0.2-{10 * OVER_U64}",
    "1.0.2-a",
    # build metadata orders only versions that are equal without it
    "1.0.3-a",
    "1.0.3-a+0",
    "1.0.3-a+b",
    "1.0.3-a.0",
    "1.0.3",
    "1.0.3+0",
    "1.0.3+0.0",
    "1.0.3+9",
    "1.0.3+10",
    "1.0.3+10.a",
    "1.0.3+a",
    "1.0.3+a.0",
    "1.0.3+b",
    "1.0.4",
    "2.0.0",
    "10.0.0",
    f"{U64_MAX}.0.0-a",
    f"{U64_MAX}.0.0",
    f"{U64_MAX}.0.{U64_MAX}",
    f"{U64_MAX}.{U64_MAX}.0",
    f"{U64_MAX}.{U64_MAX}.{U64_MAX}",
]


def test_versions_sort_in_the_expected_order(con: duckdb.DuckDBPyConnection) -> None:
    """The reference agrees with the table, and all keys differ."""
    assert sorted_by_key(con, IN_ORDER[::-1]) == IN_ORDER
    assert sorted_by_reference(IN_ORDER) == IN_ORDER
    assert len(set(keys_of(con, IN_ORDER))) == len(IN_ORDER)


def test_prerelease_is_detected(con: duckdb.DuckDBPyConnection) -> None:
    """A hyphen in build metadata does not start a pre-release."""
    query = "select cargo_is_prerelease(cargo_version_key(num)) from (select unnest($nums) as num)"
    nums = ["1.0.0", "1.0.0+a-b", "1.0.0-0", "1.0.0-a+b", "1.0.0--"]
    assert con.execute(query, {"nums": nums}).fetchall() == [(False,), (False,), (True,), (True,), (True,)]


def test_triple_has_the_three_numbers_only(con: duckdb.DuckDBPyConnection) -> None:
    """Pre-release and build metadata are not in the triple, and 1.11.1 is not 11.1.1."""
    query = "select count(distinct cargo_key_triple(cargo_version_key(num))) from (select unnest($nums) as num)"
    assert con.execute(query, {"nums": ["1.2.3", "1.2.3-a", "1.2.3-a+b", "1.2.3+b"]}).fetchall() == [(1,)]
    assert con.execute(query, {"nums": ["1.11.1", "11.1.1", "1.1.11", "1.1.1"]}).fetchall() == [(4,)]


INVALID_VERSIONS = [
    "", "1", "1.2", "1.2.", "1.2.3.4", "v1.2.3", "1.2.x", "1.2.*", "-1.2.3", "1,2,3", "a.b.c", "١.٢.٣",
    " 1.2.3", "1.2.3 ", "1.2.3\n",
    "1.2.3-", "1.2.3+", "1.2.3-+b", "1.2.3-a+", "1.2.3-a..b", "1.2.3-.a", "1.2.3-a.", "1.2.3+a..b", "1.2.3+a.+b",
    "1.2.3-a_b", "1.2.3-ä", "1.2.3+a+b",
    f"{OVER_U64}.0.0", f"0.{OVER_U64}.0", f"0.0.{OVER_U64}", f"{10 * OVER_U64}.0.0",
]  # fmt: skip


@pytest.mark.parametrize("text", INVALID_VERSIONS)
def test_invalid_version_has_no_key(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """A version has three numbers of at most 64 bits, and no empty identifiers."""
    assert not is_version(text)
    assert keys_of(con, [text]) == [None]


@pytest.mark.parametrize(
    ("lenient", "below", "above"),
    [("0.0.1-001", "0.0.1-0", "0.0.1-2"), ("0.0.1-a.02", "0.0.1-a.1", "0.0.1-a.10"), ("01.002.03", "1.2.2", "1.2.10")],
)
def test_leading_zeros_are_accepted(con: duckdb.DuckDBPyConnection, lenient: str, below: str, above: str) -> None:
    """crates.io accepted such versions at first; `semver` 1.x rejects them."""
    assert not is_version(lenient)
    assert sorted_by_key(con, [above, lenient, below]) == [below, lenient, above]


# requirement, versions that match, versions that do not
MATCHES = [
    # caret, which is the default
    ("1.2.3", "1.2.3 1.2.4 1.3.0 1.99.0 1.2.3+b", "1.2.2 2.0.0 0.9.0 1.2.3-a 1.2.4-a 2.0.0-a"),
    ("^1.2.3", "1.2.3 1.2.4 1.3.0 1.99.0", "1.2.2 2.0.0 0.9.0 1.2.3-a 1.2.4-a 2.0.0-a"),
    ("^0.2.3", "0.2.3 0.2.4 0.2.99", "0.2.2 0.3.0 1.0.0 0.2.4-a 0.3.0-a"),
    ("^0.0.3", "0.0.3 0.0.3+b", "0.0.2 0.0.4 0.1.0 0.0.3-a 0.0.4-a"),
    ("^0.0.0", "0.0.0", "0.0.1 0.1.0 1.0.0 0.0.0-a"),
    ("^1.2", "1.2.0 1.2.9 1.3.0", "1.1.9 2.0.0 1.2.0-a 1.3.0-a"),
    ("^1", "1.0.0 1.9.9", "0.9.9 2.0.0 1.0.0-a 1.1.0-a"),
    ("^0.2", "0.2.0 0.2.9", "0.1.9 0.3.0 1.0.0 0.2.0-a"),
    ("^0.0", "0.0.0 0.0.9", "0.1.0 1.0.0 0.0.0-a"),
    ("^0", "0.0.0 0.0.9 0.9.0", "1.0.0 0.0.0-a 1.0.0-a"),
    ("^1.2.3-b", "1.2.3-b 1.2.3-b.0 1.2.3-c 1.2.3 1.2.4 1.9.0", "1.2.3-a 1.2.4-b 1.3.0-b 2.0.0 2.0.0-b 1.2.2"),
    ("^0.0.3-b", "0.0.3-b 0.0.3-b+x 0.0.3-c 0.0.3", "0.0.3-a 0.0.4 0.0.4-b 0.0.2"),
    # tilde
    ("~1.2.3", "1.2.3 1.2.4", "1.2.2 1.3.0 2.2.3 1.2.3-a 1.2.4-a"),
    ("~1.2", "1.2.0 1.2.9", "1.1.9 1.3.0 1.2.0-a 1.3.0-a"),
    ("~1", "1.0.0 1.9.9", "0.9.9 2.0.0 1.0.0-a"),
    ("~0.0.3", "0.0.3 0.0.9", "0.0.2 0.1.0"),
    ("~1.2.3-b", "1.2.3-b 1.2.3-c 1.2.3 1.2.4", "1.2.3-a 1.2.4-b 1.3.0 1.3.0-b"),
    # exact
    ("=1.2.3", "1.2.3 1.2.3+b 1.2.3+0.c", "1.2.2 1.2.4 1.2.3-a"),
    ("=1.2.3+b", "1.2.3 1.2.3+b 1.2.3+c", "1.2.4 1.2.3-a"),
    ("=1.2.3-b", "1.2.3-b 1.2.3-b+x", "1.2.3-a 1.2.3-b.0 1.2.3-b0 1.2.3-c 1.2.3"),
    ("=1.2", "1.2.0 1.2.9", "1.1.9 1.3.0 1.2.0-a"),
    ("=1", "1.0.0 1.9.9", "0.9.9 2.0.0 1.0.0-a"),
    # greater and less, where a partial version includes all versions that begin with it
    (">1.2.3", "1.2.4 1.3.0 2.0.0", "1.2.3 1.2.3+b 1.2.2 1.2.4-a"),
    (">1.2", "1.3.0 2.0.0", "1.2.0 1.2.9 1.3.0-a"),
    (">1", "2.0.0", "1.0.0 1.9.9 2.0.0-a"),
    (">1.2.3-b", "1.2.3-b.0 1.2.3-c 1.2.3 1.2.4", "1.2.3-b 1.2.3-b+x 1.2.3-a 1.2.4-c"),
    (">=1.2.3", "1.2.3 1.2.3+b 2.0.0", "1.2.2 1.2.3-a 2.0.0-a"),
    (">=1.2", "1.2.0 1.3.0", "1.1.9 1.2.0-a 1.3.0-a"),
    (">=1", "1.0.0 3.0.0", "0.9.9 1.0.0-a"),
    (">=1.2.3-b", "1.2.3-b 1.2.3-c 1.2.3 9.0.0", "1.2.3-a 1.2.4-b 9.0.0-b"),
    ("<1.2.3", "1.2.2 0.0.0", "1.2.3 1.2.3+b 1.2.3-a 1.2.2-a"),
    ("<1.2", "1.1.9", "1.2.0 1.2.0-a 1.1.0-a"),
    ("<1", "0.9.9", "1.0.0 1.0.0-a 0.9.9-a"),
    ("<0.0.0", "", "0.0.0 0.0.0-a"),
    ("<1.2.3-b", "1.2.3-a 1.2.3-0 1.2.2", "1.2.3-b 1.2.3-b+x 1.2.3 1.2.2-a"),
    ("<=1.2.3", "1.2.3 1.2.3+b 1.2.2", "1.2.4 1.2.3-a 1.2.2-a"),
    ("<=1.2", "1.2.0 1.2.9 1.1.0", "1.3.0 1.2.0-a"),
    ("<=1", "1.9.9 0.0.1", "2.0.0 1.0.0-a"),
    ("<=1.2.3-b", "1.2.3-b 1.2.3-b+x 1.2.3-a 1.2.2", "1.2.3-b.0 1.2.3 1.2.2-a"),
    # wildcards
    ("*", "0.0.0 1.2.3 9.9.9+b", "0.0.0-a 1.2.3-a"),
    ("x", "0.0.0 1.2.3", "1.2.3-a"),
    ("X", "0.0.0 1.2.3", "1.2.3-a"),
    ("1.*", "1.0.0 1.9.9", "0.9.9 2.0.0 1.0.0-a 1.2.3-a"),
    ("1.X", "1.0.0 1.9.9", "0.9.9 2.0.0 1.0.0-a"),
    ("1.*.*", "1.0.0 1.9.9", "0.9.9 2.0.0 1.0.0-a"),
    ("1.2.*", "1.2.0 1.2.9", "1.1.9 1.3.0 1.2.0-a"),
    ("0.*", "0.0.1 0.9.9", "1.0.0 0.1.0-a"),
    ("0.0.*", "0.0.1 0.0.9", "0.1.0"),
    ("=1.*", "1.0.0 1.9.9", "0.9.9 2.0.0 1.0.0-a"),
    ("^1.2.*", "1.2.0 1.3.0", "1.1.9 2.0.0 1.3.0-a"),
    ("~1.*", "1.0.0 1.9.0", "2.0.0 1.0.0-a"),
    (">1.*", "2.0.0", "1.9.9"),
    (">=1.2.x", "1.2.0 2.0.0", "1.1.9"),
    ("<1.2.*", "1.1.9", "1.2.0"),
    ("<=1.*.*", "1.9.9 0.1.0", "2.0.0"),
    # all comparators hold
    (">=1.2.3, <1.5", "1.2.3 1.4.9", "1.2.2 1.5.0 1.5.0-a 1.4.0-a"),
    (">1,<3", "2.0.0 2.9.9", "1.9.9 3.0.0"),
    ("0.3.0, 0.4.0", "", "0.3.0 0.4.0"),
    ("<=0.2.0, >=0.5.0", "", "0.1.0 0.3.0 0.6.0"),
    ("0.1.0, 0.1.4, 0.1.6", "0.1.6 0.1.9", "0.1.0 0.1.4 0.2.0"),
    ("1.*, >=1.4.0", "1.4.0 1.9.0", "1.3.9 2.0.0"),
    # a pre-release needs one comparator that has it, and must match the others
    (">1.0.0-a, <1.0.0", "1.0.0-b", "1.0.0-a 1.0.0 0.9.9 1.0.1-b"),
    (">1.0.0-a, <1.0", "", "1.0.0-b 1.0.0 0.9.9"),
    (">1.0.0-a, <1", "", "1.0.0-b 1.0.0"),
    (">=0.5.1-b, <0.6", "0.5.1-b 0.5.1-c 0.5.1 0.5.5", "0.5.1-a 0.5.2-b 0.5.0-c 0.6.0 0.6.0-a"),
    (">=1.2.3-b, 1", "1.2.3-b 1.2.3 1.3.0", "1.2.3-a 2.0.0"),
    (">=1.2.3-b, 1.2", "1.2.3-b 1.2.3 1.3.0", "1.2.3-a 1.3.0-b"),
    (">=1.2.0-b, 1.2", "1.2.0-b 1.2.0 1.3.0", "1.2.0-a 1.3.0-b"),
    (">=1.0.0-b, 1", "1.0.0-b 1.0.0 1.3.0", "1.0.0-a 1.3.0-b"),
    (">=1.2.3-b, 1.*", "1.2.3 1.3.0", "1.2.3-b 2.0.0"),
    (">=1.2.3-b, ~1.2", "1.2.3 1.2.9", "1.2.3-b 1.3.0"),
    (">=1.2.3-b, =1.2", "1.2.3 1.2.9", "1.2.3-b 1.3.0"),
    (">=1.2.3-b, >=1.2", "1.2.3 2.0.0", "1.2.3-b 1.2.3-c"),
    (">=1.2.3-b, >=1.1", "1.2.3-b 1.2.3-c 2.0.0", "1.2.3-a"),
    (">=1.2.3-b, >1.2", "1.3.0", "1.2.3-b 1.2.3"),
    (">=1.2.3-b, <=1.2", "1.2.3 1.2.9", "1.2.3-b 1.3.0"),
    (">=1.2.3-b, <=1.3", "1.2.3-b 1.2.3 1.3.9", "1.3.0-b 1.4.0"),
    (">=1.2.3-b, ~1.2.2", "1.2.3-b 1.2.3", "1.2.3-a 1.2.2 1.3.0"),
    (">=1.2.3-b, 1.2.3", "1.2.3 1.9.0", "1.2.3-b"),
    (">=1.2.3-b, <1.4.0-b", "1.2.3-c 1.3.0 1.4.0-a", "1.3.0-a 1.4.0-b 1.4.0"),
    # the largest numbers
    (f"^{U64_MAX}", f"{U64_MAX}.0.0 {U64_MAX}.{U64_MAX}.{U64_MAX}", "0.0.0 1.0.0"),
    (f"^0.{U64_MAX}", f"0.{U64_MAX}.0 0.{U64_MAX}.{U64_MAX}", "1.0.0 0.1.0"),
    (f"^0.0.{U64_MAX}", f"0.0.{U64_MAX}", "0.1.0 0.0.0"),
    (f"=1.2.{U64_MAX}", f"1.2.{U64_MAX} 1.2.{U64_MAX}+b", f"1.3.0 1.2.{U64_MAX - 1}"),
    (f"~1.{U64_MAX}", f"1.{U64_MAX}.0", "2.0.0"),
    (f">1.{U64_MAX}.{U64_MAX}", "2.0.0", f"1.{U64_MAX}.{U64_MAX}"),
    (f">{U64_MAX}", "", f"{U64_MAX}.{U64_MAX}.{U64_MAX} 0.0.0"),
    (f"<={U64_MAX}", f"{U64_MAX}.{U64_MAX}.{U64_MAX} 0.0.0", "0.0.0-a"),
    (f">=0.0.1-{OVER_U64}", f"0.0.1-{OVER_U64} 0.0.1-{OVER_U64 + 1} 0.0.1-a", "0.0.1-9 0.0.1-0"),
    # spaces
    (" 1.2.3 ", "1.2.3 1.3.0", "2.0.0"),
    (">=  1.2.3  ,  < 1.5", "1.2.3 1.4.9", "1.5.0"),
    ("~ 1.2", "1.2.9", "1.3.0"),
    ("  =1.2.3-b,<2", "1.2.3-b", "1.2.3 1.2.3-a"),
]


@pytest.mark.parametrize(("req", "matching", "others"), MATCHES, ids=[req for req, _, _ in MATCHES])
def test_requirements_match_the_expected_versions(
    con: duckdb.DuckDBPyConnection, req: str, matching: str, others: str
) -> None:
    """The reference agrees with the table."""
    expected = {**dict.fromkeys(matching.split(), True), **dict.fromkeys(others.split(), False)}
    pairs = [(req, num) for num in expected]
    assert {num: matches_in_reference(req, num) for num in expected} == expected
    assert dict(zip(expected, matches_in_sql(con, pairs))) == expected


INVALID_REQUIREMENTS = [
    "", " ", ",", "1.2,", ",1.2", "1,,2", "1 2", ">1 <2", "1.2.3 - 2.3.4", "=1.2.3 || =2.3.4",
    "a", "v1", "-1", "1.", "1.2.", "1.2.3.4", "1.2.3+", "1.2.3-a+",
    ">", ">=", "==1", "=>1", "<>1", ">>1", "> =1", "~>1.2", "!1", "^^1", ">= >= 0.0.2", ">== 0.0.2",
    # a pre-release needs all three numbers
    "1-a", "1.2-a", "^0-.11.0", "^0.51-oldsyn", "~2.0-2.2", "1.2.*-a", "1.*-a", "1.2.3-", "1.2.3-a..b", "1.2.3-a_b",
    # only wildcards after a wildcard, and `*` only as a single comparator
    "1.*.3", ">=1.*.3", "1.*.", "*.1", "*.*", "*.*.*", "=*", "^*", ">=*", "*, 1", "1, *", "0.2.0-a, *, 1", "*,*", "**",
]  # fmt: skip


@pytest.mark.parametrize("text", INVALID_REQUIREMENTS)
def test_invalid_requirement_has_no_bounds(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """`is_valid` is false, and the bounds are null."""
    con.register("texts", pa.table({"req": [text]}))
    query = "select is_valid, lower, upper, pre_triples from cargo_requirement_bounds('texts')"
    assert not is_requirement(text)
    assert con.execute(query).fetchall() == [(False, None, None, None)]


FLAGS = [
    # requirement, is_wildcard, is_unbounded, is_exact
    ("*", True, False, False),
    ("1.*", False, False, False),
    ("1.2.3", False, False, False),
    ("<2", False, False, False),
    (">=1", False, True, False),
    (">1.2.3", False, True, False),
    (">=1, >=2", False, True, False),
    (">=1, <2", False, False, False),
    ("=1.2", False, False, False),
    ("=1.2.3", False, False, True),
    ("=1.2.3-a", False, False, True),
    (">=1, =1.2.3", False, False, True),
]


@pytest.mark.parametrize(("req", "wildcard", "unbounded", "exact"), FLAGS)
def test_requirement_is_wildcard_unbounded_or_exact(
    con: duckdb.DuckDBPyConnection, req: str, wildcard: bool, unbounded: bool, exact: bool
) -> None:
    """Wildcard: any version. Unbounded: no upper bound. Exact: one version."""
    con.register("texts", pa.table({"req": [req]}))
    query = "select is_wildcard, is_unbounded, is_exact from cargo_requirement_bounds('texts')"
    assert con.execute(query).fetchall() == [(wildcard, unbounded, exact)]


# --- details of the `semver` crate ---------------------------------------------------------------------------------


@pytest.mark.parametrize("req", [" *", "* ", "  x "])
def test_single_wildcard_may_have_spaces_around_it(con: duckdb.DuckDBPyConnection, req: str) -> None:
    """It matches every release."""
    assert matches_in_reference(req, "1.2.3")
    assert matches_in_sql(con, [(req, "1.2.3")]) == [True]


@pytest.mark.parametrize(
    "text",
    [
        *("01", "^0.01", "=1.2.03"),
        *("1+b", "1.2+b", "1.*+b", "1.2.3+a..b", "1.2.3+."),
        *(f"^{OVER_U64}", f"^0.{OVER_U64}", f"=0.0.{OVER_U64}"),
        *("\t1", ">=\t1.2", ">=\n1.2", "\u00a01.2"),
        pytest.param(",".join([">0"] * 33), id="33 comparators"),
    ],
)
def test_requirement_that_cargo_rejects_is_invalid(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """No leading zeros, no build metadata without a patch, 64 bits, no whitespace but spaces, 32 comparators."""
    assert not is_requirement(text)
    assert is_valid_in_sql(con, [text]) == [False]


def test_leading_zeros_order_equal_numbers_in_build_metadata(con: duckdb.DuckDBPyConnection) -> None:
    """Fewer zeros sort first."""
    nums = [f"1.0.0+{build}" for build in ("0", "00", "1", "01", "001", "001.a", "2", "02", "10")]
    assert sorted_by_reference(nums) == nums
    assert sorted_by_key(con, nums[::-1]) == nums


# --- all small cases -----------------------------------------------------------------------------------------------

SMALL_TRIPLES = [".".join(numbers) for numbers in product("012", repeat=3)]
SMALL_PRES = ["0", "a", "a.0", "b"]


def partials(triple: str) -> list[str]:
    """The partial versions of a triple, also with wildcards."""
    major, minor, _ = triple.split(".")
    return [major, f"{major}.*", f"{major}.X.*", f"{major}.{minor}", f"{major}.{minor}.x"]


def small_comparators() -> list[str]:
    """All operators with all versions of zeros and ones: partial, full and with a pre-release."""
    triples = [".".join(numbers) for numbers in product("01", repeat=3)]
    versions = {form for triple in triples for form in (*partials(triple), triple, f"{triple}-a")}
    return [operator + version for operator in ALL_OPERATORS for version in sorted(versions)]


def assert_matches_like_the_reference(con: duckdb.DuckDBPyConnection, pairs: list[Pair]) -> None:
    """Compares all pairs and shows those that differ."""
    found = dict(zip(pairs, matches_in_sql(con, pairs)))
    assert [(pair, match) for pair, match in found.items() if match != matches_in_reference(*pair)] == []


def test_small_comparators_match_like_the_reference(con: duckdb.DuckDBPyConnection) -> None:
    versions = [*SMALL_TRIPLES, *(f"{triple}+b" for triple in SMALL_TRIPLES), *(f"{t}-a" for t in SMALL_TRIPLES)]
    assert_matches_like_the_reference(con, list(product(small_comparators(), versions)))


def test_small_comparators_match_prereleases_like_the_reference(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """With a second comparator that has a pre-release of the same triple, else few pre-releases would match."""
    pairs = product(small_comparators(), SMALL_TRIPLES, SMALL_PRES)
    assert_matches_like_the_reference(con, [(f"{comparator}, >={t}-0", f"{t}-{pre}") for comparator, t, pre in pairs])


# --- random cases --------------------------------------------------------------------------------------------------

# most special rules are about 0
NUMBERS = st.sampled_from(["0", "0", "0", "0", "1", "2", "10", str(U64_MAX)])
TRIPLES = st.lists(NUMBERS, min_size=3, max_size=3).map(".".join)
PRE_PARTS = st.sampled_from(["0", "1", "10", "a", "a0", "a-", "A", "-", "1-", str(OVER_U64)])
PRES = st.one_of(
    st.sampled_from(["0", "a", "a.0", "a0", "b"]),
    st.lists(PRE_PARTS, min_size=1, max_size=3).map(".".join),
    st.from_regex(rf"\A{semver.PRE_PART}(\.{semver.PRE_PART}){{0,2}}\Z"),
)
OPERATORS = st.sampled_from(ALL_OPERATORS)
SPACES = st.sampled_from(["", "", " ", "  "])
TOKENS = ["1", "2", ".1", ".2", ".*", "*", ".x", ".", "-a", ",", ">=", ">", "=", "<", "~", "^", " ", "a"]
TEXTS = st.lists(st.sampled_from(TOKENS), max_size=8).map("".join).map(str.strip)

Texts = st.SearchStrategy[str]


def joined(*parts: Texts) -> Texts:
    """The concatenated texts of the parts."""
    return st.tuples(*parts).map("".join)


def after(mark: str, part: Texts) -> Texts:
    """Nothing, or the part after its mark."""
    return st.just("") | part.map(mark.__add__)


def neighbours(triple: str) -> list[str]:
    """The triple and adjacent ones, with numbers of at most 64 bits."""
    numbers = [int(number) for number in triple.split(".")]
    steps = [(0, 0, 0), (0, 0, 1), (0, 0, -1), (0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0)]
    near = [[number + step for number, step in zip(numbers, by)] for by in steps]
    return [".".join(map(str, numbers)) for numbers in near if min(numbers) >= 0 and max(numbers) <= U64_MAX]


def versions_of(triples: list[str]) -> Texts:
    """Versions with one of these triples."""
    return joined(st.sampled_from(triples), after("-", PRES), after("+", PRES))


def requirements_around(triples: list[str]) -> Texts:
    """Requirements with comparators of these triples, partial or full."""
    partial = st.sampled_from([text for triple in triples for text in partials(triple)])
    number = st.sampled_from(triples)
    versions = partial | number | joined(number, st.just("-"), PRES, after("+", PRES))
    comparators = joined(SPACES, OPERATORS, SPACES, versions, SPACES)
    several = st.lists(comparators, min_size=2, max_size=3).map(",".join)
    return comparators | several | several | st.sampled_from(["*", "x", "X", ">=0.0.0", ">0", "<=9"])


def cases_near(triple: str) -> st.SearchStrategy[tuple[list[str], list[str]]]:
    """Requirements and versions that are close, so that many match and many just fail to match."""
    triples = neighbours(triple)
    return st.tuples(
        st.lists(requirements_around(triples[:2]), min_size=4, max_size=12),
        st.lists(versions_of([triple, *triples]), min_size=4, max_size=12),
    )


@settings(deadline=None)
@given(
    st.lists(TRIPLES, min_size=1, max_size=4).flatmap(lambda few: st.lists(versions_of(few), max_size=60, unique=True))
)
def test_random_versions_sort_like_the_reference(con: duckdb.DuckDBPyConnection, nums: list[str]) -> None:
    """All versions differ, so there is only one correct order."""
    assert sorted_by_key(con, nums) == sorted_by_reference(nums)


@settings(deadline=None)
@given(TRIPLES.flatmap(cases_near))
def test_random_requirements_match_like_the_reference(
    con: duckdb.DuckDBPyConnection, cases: tuple[list[str], list[str]]
) -> None:
    """Compares all requirements with all versions."""
    reqs, nums = cases
    assert all(map(is_requirement, reqs))
    assert_matches_like_the_reference(con, list(product(reqs, nums)))


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=60))
def test_random_text_is_a_requirement_only_if_the_reference_parses_it(
    con: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    """Most of the texts are almost valid."""
    assert dict(zip(texts, is_valid_in_sql(con, texts))) == {text: is_requirement(text) for text in texts}


# --- the bundled registry ------------------------------------------------------------------------------------------

INVALID_IN_REGISTRY = {"^0-.11.0", "^0.51-oldsyn", "~2.0-2.2"}


def test_registry_requirements_are_parsed(con: duckdb.DuckDBPyConnection) -> None:
    """Except for three, which Cargo rejects too."""
    texts = [req for (req,) in con.execute("select distinct req from dependencies").fetchall()]
    valid = is_valid_in_sql(con, texts)
    assert len(texts) > 7000
    assert {text for text, is_valid in zip(texts, valid) if not is_valid} == INVALID_IN_REGISTRY
    assert {text for text in texts if not is_requirement(text)} == INVALID_IN_REGISTRY


def test_registry_versions_sort_like_the_reference(con: duckdb.DuckDBPyConnection) -> None:
    """All have a key; versions with leading zeros, which the reference rejects, are not compared."""
    nums = [num for (num,) in con.execute("select distinct num from versions").fetchall()]
    assert None not in keys_of(con, nums)
    strict = {num: semver.parse_version(num) for num in nums if is_version(num)}
    assert len(nums) - 100 < len(strict)
    assert sorted_by_key(con, list(strict)) == sorted(strict, key=lambda num: strict[num].rank)


def test_registry_requirements_resolve_like_the_reference(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """The newest matching version, for each dependency and each requirement on it."""
    newest_first = versions_by_crate(con)
    con.execute("create or replace temp table wanted as select distinct dependency as name, req from dependencies")
    strict = sorted({num for nums in newest_first.values() for num in nums})
    query = f"""
        with keyed as (
            select name, num, cargo_version_key(num) as version_key
            from versions
            where list_contains($strict, num)
        )
        select wanted.name, wanted.req, max_by(num, version_key) filter ({RULE})
        from wanted
        join cargo_requirement_bounds('wanted') using (req)
        left join keyed using (name)
        group by all
    """
    rows = con.execute(query, {"strict": strict}).fetchall()
    requirements = {req: semver.parse_requirement(req) for _, req, _ in rows if req not in INVALID_IN_REGISTRY}
    differing = [
        (name, req, found)
        for name, req, found in rows
        if found != newest(requirements.get(req), newest_first.get(name, {}))
    ]
    assert not differing
    assert len(rows) > 90_000
    assert sum(found is not None for _, _, found in rows) > 80_000


def versions_by_crate(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, semver.Version]]:
    """The versions that the reference parses, newest first, of each crate with dependents."""
    query = "select distinct name, num from versions semi join dependencies on dependency = versions.name"
    rows = con.execute(query).fetchall()
    strict = {num: semver.parse_version(num) for num in {num for _, num in rows} if is_version(num)}
    position = {num: i for i, num in enumerate(sorted(strict, key=lambda num: strict[num].rank))}
    crates: dict[str, dict[str, semver.Version]] = defaultdict(dict)
    for name, num in sorted((row for row in rows if row[1] in strict), key=lambda row: position[row[1]], reverse=True):
        crates[name][num] = strict[num]
    return crates


def newest(requirement: semver.Requirement | None, newest_first: dict[str, semver.Version]) -> str | None:
    """The newest matching version; None if there is none or the requirement is invalid."""
    if requirement is None:
        return None
    return next((num for num, version in newest_first.items() if semver.matches(requirement, version)), None)
