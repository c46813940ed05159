"""Cargo's version order and requirement matching in SQL, against cases by hand and a plain restatement of the rules."""

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

# How keys and bounds are to be used: the rule that everything which resolves dependencies relies on.
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
    """The versions in the order of their keys, compared as SQL compares them."""
    query = "from (select unnest($texts) as num) order by cargo_version_key(num)"
    return [num for (num,) in con.execute(query, {"texts": texts}).fetchall()]


def sorted_by_reference(texts: Iterable[str]) -> list[str]:
    """The versions in the reference's order."""
    return sorted(texts, key=lambda num: semver.parse_version(num).rank)


def is_valid_in_sql(con: duckdb.DuckDBPyConnection, texts: list[str]) -> list[bool]:
    """Whether each text is a requirement."""
    con.register("texts", pa.table({"id": range(len(texts)), "req": texts}))
    query = "select is_valid from texts join cargo_requirement_bounds('texts') using (req) order by id"
    return [valid for (valid,) in con.execute(query).fetchall()]


def matches_in_sql(con: duckdb.DuckDBPyConnection, pairs: list[Pair]) -> list[bool]:
    """Whether each version matches the requirement beside it."""
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
    """Whether the version matches; nothing matches what is no requirement."""
    return is_requirement(req) and semver.matches(semver.parse_requirement(req), semver.parse_version(num))


def is_requirement(text: str) -> bool:
    """Whether the reference can read it."""
    try:
        semver.parse_requirement(text)
    except NotSemver:
        return False
    return True


def is_version(text: str) -> bool:
    """Whether the reference can read it."""
    try:
        semver.parse_version(text)
    except NotSemver:
        return False
    return True


# --- by hand -----------------------------------------------------------------------------------------------------

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
    # numeric identifiers come first and go by value, others go by their ASCII text
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
    # build metadata parts only versions that are equal without it
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


def test_versions_sort_in_the_order_written_here(con: duckdb.DuckDBPyConnection) -> None:
    """The table stands in order for the reference too, and no two keys are the same."""
    assert sorted_by_key(con, IN_ORDER[::-1]) == IN_ORDER
    assert sorted_by_reference(IN_ORDER) == IN_ORDER
    assert len(set(keys_of(con, IN_ORDER))) == len(IN_ORDER)


def test_only_a_version_with_a_prerelease_is_one(con: duckdb.DuckDBPyConnection) -> None:
    """A hyphen inside build metadata starts no pre-release."""
    query = "select cargo_is_prerelease(cargo_version_key(num)) from (select unnest($nums) as num)"
    nums = ["1.0.0", "1.0.0+a-b", "1.0.0-0", "1.0.0-a+b", "1.0.0--"]
    assert con.execute(query, {"nums": nums}).fetchall() == [(False,), (False,), (True,), (True,), (True,)]


def test_versions_share_a_triple_if_they_share_their_numbers(con: duckdb.DuckDBPyConnection) -> None:
    """Pre-release and build metadata are no part of the triple, and 1.11.1 is not 11.1.1."""
    query = "select count(distinct cargo_key_triple(cargo_version_key(num))) from (select unnest($nums) as num)"
    assert con.execute(query, {"nums": ["1.2.3", "1.2.3-a", "1.2.3-a+b", "1.2.3+b"]}).fetchall() == [(1,)]
    assert con.execute(query, {"nums": ["1.11.1", "11.1.1", "1.1.11", "1.1.1"]}).fetchall() == [(4,)]


NO_VERSIONS = [
    "", "1", "1.2", "1.2.", "1.2.3.4", "v1.2.3", "1.2.x", "1.2.*", "-1.2.3", "1,2,3", "a.b.c", "١.٢.٣",
    " 1.2.3", "1.2.3 ", "1.2.3\n",
    "1.2.3-", "1.2.3+", "1.2.3-+b", "1.2.3-a+", "1.2.3-a..b", "1.2.3-.a", "1.2.3-a.", "1.2.3+a..b", "1.2.3+a.+b",
    "1.2.3-a_b", "1.2.3-ä", "1.2.3+a+b",
    f"{OVER_U64}.0.0", f"0.{OVER_U64}.0", f"0.0.{OVER_U64}", f"{10 * OVER_U64}.0.0",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_VERSIONS)
def test_what_is_no_version_has_no_key(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """Versions have all three numbers, each of 64 bits, and no empty identifiers."""
    assert not is_version(text)
    assert keys_of(con, [text]) == [None]


@pytest.mark.parametrize(
    ("lenient", "below", "above"),
    [("0.0.1-001", "0.0.1-0", "0.0.1-2"), ("0.0.1-a.02", "0.0.1-a.1", "0.0.1-a.10"), ("01.002.03", "1.2.2", "1.2.10")],
)
def test_leading_zeros_are_read_as_numbers(
    con: duckdb.DuckDBPyConnection, lenient: str, below: str, above: str
) -> None:
    """crates.io took such versions in its early days, though `semver` 1.x refuses them."""
    assert not is_version(lenient)
    assert sorted_by_key(con, [above, lenient, below]) == [below, lenient, above]


# requirement, versions that match, versions that do not
MATCHES = [
    # caret, and a bare version is a caret
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
    # greater and less, where a partial version stands for all that begin with it
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
    # a pre-release must be named by one comparator and let through by the others
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
    # numbers as large as they come
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
def test_requirements_match_as_written_here(
    con: duckdb.DuckDBPyConnection, req: str, matching: str, others: str
) -> None:
    """The table holds for the reference too."""
    expected = {**dict.fromkeys(matching.split(), True), **dict.fromkeys(others.split(), False)}
    pairs = [(req, num) for num in expected]
    assert {num: matches_in_reference(req, num) for num in expected} == expected
    assert dict(zip(expected, matches_in_sql(con, pairs))) == expected


NO_REQUIREMENTS = [
    "", " ", ",", "1.2,", ",1.2", "1,,2", "1 2", ">1 <2", "1.2.3 - 2.3.4", "=1.2.3 || =2.3.4",
    "a", "v1", "-1", "1.", "1.2.", "1.2.3.4", "1.2.3+", "1.2.3-a+",
    ">", ">=", "==1", "=>1", "<>1", ">>1", "> =1", "~>1.2", "!1", "^^1", ">= >= 0.0.2", ">== 0.0.2",
    # a pre-release needs all three numbers
    "1-a", "1.2-a", "^0-.11.0", "^0.51-oldsyn", "~2.0-2.2", "1.2.*-a", "1.*-a", "1.2.3-", "1.2.3-a..b", "1.2.3-a_b",
    # nothing but wildcards after a wildcard, and `*` only alone
    "1.*.3", ">=1.*.3", "1.*.", "*.1", "*.*", "*.*.*", "=*", "^*", ">=*", "*, 1", "1, *", "0.2.0-a, *, 1", "*,*", "**",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_REQUIREMENTS)
def test_what_is_no_requirement_matches_nothing(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """It is marked, and has no bounds."""
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
def test_what_kind_of_requirement_it_is(
    con: duckdb.DuckDBPyConnection, req: str, wildcard: bool, unbounded: bool, exact: bool
) -> None:
    """Any version, no upper end, one version only."""
    con.register("texts", pa.table({"req": [req]}))
    query = "select is_wildcard, is_unbounded, is_exact from cargo_requirement_bounds('texts')"
    assert con.execute(query).fetchall() == [(wildcard, unbounded, exact)]


# --- what only the crate reads, or only others would -------------------------------------------------------------


@pytest.mark.parametrize("req", [" *", "* ", "  x "])
def test_a_lone_wildcard_may_have_spaces_around_it(con: duckdb.DuckDBPyConnection, req: str) -> None:
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
def test_only_what_cargo_reads_is_a_requirement(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """No leading zeros, no build metadata without a patch, 64 bits, blanks only as spaces, at most 32 comparators."""
    assert not is_requirement(text)
    assert is_valid_in_sql(con, [text]) == [False]


def test_leading_zeros_part_equal_numbers_in_build_metadata(con: duckdb.DuckDBPyConnection) -> None:
    """The fewer zeros, the less."""
    nums = [f"1.0.0+{build}" for build in ("0", "00", "1", "01", "001", "001.a", "2", "02", "10")]
    assert sorted_by_reference(nums) == nums
    assert sorted_by_key(con, nums[::-1]) == nums


# --- all that are small ------------------------------------------------------------------------------------------

SMALL_TRIPLES = [".".join(numbers) for numbers in product("012", repeat=3)]
SMALL_PRES = ["0", "a", "a.0", "b"]


def beginnings(triple: str) -> list[str]:
    """The partial versions that the triple continues, also with wildcards."""
    major, minor, _ = triple.split(".")
    return [major, f"{major}.*", f"{major}.X.*", f"{major}.{minor}", f"{major}.{minor}.x"]


def small_comparators() -> list[str]:
    """Every operator with every version of zeros and ones: partial, whole and with a pre-release."""
    triples = [".".join(numbers) for numbers in product("01", repeat=3)]
    versions = {form for triple in triples for form in (*beginnings(triple), triple, f"{triple}-a")}
    return [operator + version for operator in ALL_OPERATORS for version in sorted(versions)]


def assert_matches_like_the_reference(con: duckdb.DuckDBPyConnection, pairs: list[Pair]) -> None:
    """Compares each pair; shows those that differ."""
    found = dict(zip(pairs, matches_in_sql(con, pairs)))
    assert [(pair, match) for pair, match in found.items() if match != matches_in_reference(*pair)] == []


def test_every_small_comparator_matches_what_the_reference_matches(con: duckdb.DuckDBPyConnection) -> None:
    """Alone."""
    versions = [*SMALL_TRIPLES, *(f"{triple}+b" for triple in SMALL_TRIPLES), *(f"{t}-a" for t in SMALL_TRIPLES)]
    assert_matches_like_the_reference(con, list(product(small_comparators(), versions)))


def test_every_small_comparator_matches_the_prereleases_that_the_reference_matches(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """Beside a comparator that names the pre-release's triple, without which it would match hardly any."""
    pairs = product(small_comparators(), SMALL_TRIPLES, SMALL_PRES)
    assert_matches_like_the_reference(con, [(f"{beside}, >={t}-0", f"{t}-{pre}") for beside, t, pre in pairs])


# --- at random ---------------------------------------------------------------------------------------------------

# most rules turn on a 0
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
    """The parts' texts in a row."""
    return st.tuples(*parts).map("".join)


def after(mark: str, part: Texts) -> Texts:
    """Nothing, or the part with its mark before it."""
    return st.just("") | part.map(mark.__add__)


def neighbours(triple: str) -> list[str]:
    """The triple, and those beside it; their numbers fit in 64 bits too."""
    numbers = [int(number) for number in triple.split(".")]
    steps = [(0, 0, 0), (0, 0, 1), (0, 0, -1), (0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0)]
    near = [[number + step for number, step in zip(numbers, by)] for by in steps]
    return [".".join(map(str, numbers)) for numbers in near if min(numbers) >= 0 and max(numbers) <= U64_MAX]


def versions_of(triples: list[str]) -> Texts:
    """Versions with one of these triples."""
    return joined(st.sampled_from(triples), after("-", PRES), after("+", PRES))


def requirements_around(triples: list[str]) -> Texts:
    """Requirements whose comparators name one of these triples, in part or whole."""
    partials = st.sampled_from([partial for triple in triples for partial in beginnings(triple)])
    number = st.sampled_from(triples)
    versions = partials | number | joined(number, st.just("-"), PRES, after("+", PRES))
    comparators = joined(SPACES, OPERATORS, SPACES, versions, SPACES)
    several = st.lists(comparators, min_size=2, max_size=3).map(",".join)
    return comparators | several | several | st.sampled_from(["*", "x", "X", ">=0.0.0", ">0", "<=9"])


def cases_near(triple: str) -> st.SearchStrategy[tuple[list[str], list[str]]]:
    """Requirements and versions so close to each other that much matches and much just fails to."""
    triples = neighbours(triple)
    return st.tuples(
        st.lists(requirements_around(triples[:2]), min_size=4, max_size=12),
        st.lists(versions_of([triple, *triples]), min_size=4, max_size=12),
    )


@settings(deadline=None)
@given(
    st.lists(TRIPLES, min_size=1, max_size=4).flatmap(lambda few: st.lists(versions_of(few), max_size=60, unique=True))
)
def test_any_versions_sort_as_the_reference_sorts_them(con: duckdb.DuckDBPyConnection, nums: list[str]) -> None:
    """All versions differ, so there is one right order."""
    assert sorted_by_key(con, nums) == sorted_by_reference(nums)


@settings(deadline=None)
@given(TRIPLES.flatmap(cases_near))
def test_any_requirement_matches_what_the_reference_matches(
    con: duckdb.DuckDBPyConnection, cases: tuple[list[str], list[str]]
) -> None:
    """Every requirement against every version."""
    reqs, nums = cases
    assert all(map(is_requirement, reqs))
    assert_matches_like_the_reference(con, list(product(reqs, nums)))


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=60))
def test_any_text_is_a_requirement_only_if_the_reference_reads_it(
    con: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    """Most of these are nearly requirements."""
    assert dict(zip(texts, is_valid_in_sql(con, texts))) == {text: is_requirement(text) for text in texts}


# --- the bundled registry ----------------------------------------------------------------------------------------

UNREADABLE = {"^0-.11.0", "^0.51-oldsyn", "~2.0-2.2"}


def test_every_requirement_of_the_registry_is_read(con: duckdb.DuckDBPyConnection) -> None:
    """But for the three that Cargo refuses too."""
    texts = [req for (req,) in con.execute("select distinct req from dependencies").fetchall()]
    valid = is_valid_in_sql(con, texts)
    assert len(texts) > 7000
    assert {text for text, is_valid in zip(texts, valid) if not is_valid} == UNREADABLE
    assert {text for text in texts if not is_requirement(text)} == UNREADABLE


def test_every_version_of_the_registry_sorts_as_the_reference_sorts_it(con: duckdb.DuckDBPyConnection) -> None:
    """All have a key; those that only the SQL reads, for their leading zeros, have no right place and are left out."""
    nums = [num for (num,) in con.execute("select distinct num from versions").fetchall()]
    assert None not in keys_of(con, nums)
    strict = {num: semver.parse_version(num) for num in nums if is_version(num)}
    assert len(nums) - 100 < len(strict)
    assert sorted_by_key(con, list(strict)) == sorted(strict, key=lambda num: strict[num].rank)


def test_every_requirement_of_the_registry_finds_the_newest_version_that_the_reference_finds(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """For each crate depended on and each requirement that anyone has of it."""
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
    requirements = {req: semver.parse_requirement(req) for _, req, _ in rows if req not in UNREADABLE}
    wrong = [
        (name, req, found)
        for name, req, found in rows
        if found != newest(requirements.get(req), newest_first.get(name, {}))
    ]
    assert not wrong
    assert len(rows) > 90_000
    assert sum(found is not None for _, _, found in rows) > 80_000


def versions_by_crate(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, semver.Version]]:
    """The versions that the reference reads, newest first, of each crate that is depended on."""
    query = "select distinct name, num from versions semi join dependencies on dependency = versions.name"
    rows = con.execute(query).fetchall()
    strict = {num: semver.parse_version(num) for num in {num for _, num in rows} if is_version(num)}
    place = {num: i for i, num in enumerate(sorted(strict, key=lambda num: strict[num].rank))}
    crates: dict[str, dict[str, semver.Version]] = defaultdict(dict)
    for name, num in sorted((row for row in rows if row[1] in strict), key=lambda row: place[row[1]], reverse=True):
        crates[name][num] = strict[num]
    return crates


def newest(requirement: semver.Requirement | None, newest_first: dict[str, semver.Version]) -> str | None:
    """The newest version that matches, if any does and there is a requirement."""
    if requirement is None:
        return None
    return next((num for num, version in newest_first.items() if semver.matches(requirement, version)), None)
