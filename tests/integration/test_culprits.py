"""`culprits` names the crate with an issue, the crate that can fix it and the fix: synthetic and bundled registry."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from test_leak_proof import Rows

from resources.common.settings import Settings
from testing.culprits_reference import culprits_reference, random_facts
from testing.registries import from_rows, write_registry
from testing.table_builds import build, build_registry, bundled_resources

MAY, LATE = datetime(2020, 5, 1), datetime(2020, 6, 15)
BEFORE_LATE, AFTER_LATE = "2020-06-01", "2020-07-01"

# crate and version: its dependencies as (crate, requirement); `?` marks an optional one, `!` a dev-dependency
VERSIONS: dict[tuple[str, str], list[tuple[str, str]]] = {
    # crates with an issue: `rot` has a fix, `left` has none, that of `sore` is yanked, that of `slow` comes late;
    # `both` has a fix for one of two issues; an older version of `late-rot` is not affected
    **{(name, num): [] for name in ("rot", "sore", "slow", "both") for num in ("1.0.0", "2.0.0")},
    ("left", "1.0.0"): [],
    **{("late-rot", num): [] for num in ("1.0.0", "2.0.0")},
    # crates that depend on them
    ("mid", "1.0.0"): [("rot", "^1")],
    ("a-mid", "1.0.0"): [("rot", "^1")],
    ("web", "1.0.0"): [("rot", "^1")],
    ("web", "2.0.0"): [("rot", "^2")],
    ("web", "3.0.0-rc.1"): [],
    ("box", "1.0.0"): [("left", "^1")],
    ("choosy", "1.0.0"): [("rot", "^1")],
    ("choosy", "2.0.0"): [("?rot", "^1")],
    ("worse", "1.0.0"): [],
    ("worse", "2.0.0"): [("left", "^1")],
    ("soon", "0.9.0"): [],
    ("soon", "1.0.0"): [("rot", "^1")],
    ("soon", "2.0.0-rc.1"): [],
    ("dead", "1.0.0"): [("rot", "^1")],
    ("dead", "2.0.0"): [("left", "^9")],
    ("deader", "1.0.0"): [("rot", "^1")],
    ("deader", "2.0.0"): [("dead", "^2")],
    # crates whose build has them
    ("direct", "1.0.0"): [("rot", "^1")],
    ("far", "1.0.0"): [("mid", "^1")],
    ("farther", "1.0.0"): [("far", "^1")],
    ("behind", "1.0.0"): [("web", "^1")],
    ("stuck", "1.0.0"): [("left", "^1")],
    ("stuck-far", "1.0.0"): [("box", "^1")],
    ("two-ways", "1.0.0"): [("rot", "=1.0.0"), ("mid", "^1")],
    ("tie", "1.0.0"): [("mid", "^1"), ("a-mid", "^1")],
    ("yanked-fix", "1.0.0"): [("sore", "^1")],
    ("late-fix", "1.0.0"): [("slow", "^1")],
    ("half-fix", "1.0.0"): [("both", "^1")],
    ("optional", "1.0.0"): [("?rot", "^1"), ("!rot", "^1")],
    ("chooses", "1.0.0"): [("choosy", "^1")],
    ("goes-back", "1.0.0"): [("worse", "^2")],
    ("goes-back-itself", "1.0.0"): [("late-rot", "^2")],
    ("early", "1.0.0"): [("soon", "^1")],
    ("no-way", "1.0.0"): [("deader", "^1")],
}
WORDS = {
    ("direct", "rot"): ("you", "direct", "upgrade rot to 2.0.0 or later"),
    ("far", "rot"): ("dependency", "mid", "ask mid to upgrade rot to 2.0.0 or later"),
    ("farther", "rot"): ("dependency", "mid", "ask mid to upgrade rot to 2.0.0 or later"),
    ("behind", "rot"): ("you", "behind", "upgrade web to 2.0.0 or later"),
    ("stuck", "left"): ("nobody", None, "replace left: no version of it is maintained"),
    ("stuck_far", "left"): (
        "nobody",
        None,
        "ask box to replace left, or stop using box: no version of left is maintained",
    ),
    ("two_ways", "rot"): (
        "you",
        "two-ways",
        "upgrade rot to 2.0.0 or later; another direct dependency pulls it in too",
    ),
    ("tie", "rot"): (
        "dependency",
        "a-mid",
        "ask a-mid to upgrade rot to 2.0.0 or later; another direct dependency pulls it in too",
    ),
    ("yanked_fix", "sore"): ("nobody", None, "replace sore: no version of it has a fix"),
    ("late_fix", "slow"): ("nobody", None, "replace slow: no version of it has a fix"),
    ("chooses", "rot"): ("you", "chooses", "upgrade choosy to 2.0.0 or later"),
    ("goes_back", "left"): (
        "you",
        "goes-back",
        "replace worse, or downgrade it to 1.0.0: every newer version depends on an affected left",
    ),
    ("goes_back_itself", "late-rot"): (
        "you",
        "goes-back-itself",
        "replace late-rot, or downgrade it to 1.0.0: no newer version has a fix",
    ),
    # a pre-release only where no newer release has a fix
    ("early", "rot"): ("you", "early", "upgrade soon to 2.0.0-rc.1 or later"),
    # deader 2.0.0 does not depend on rot, but cannot be built
    ("no_way", "rot"): ("dependency", "deader", "ask deader to upgrade rot to 2.0.0 or later"),
}


def registry() -> Rows:
    """The facts above."""

    def version(name: str, num: str) -> dict:
        at = LATE if (name, num) == ("slow", "2.0.0") else MAY
        return {"name": name, "num": num, "position": 0, "published_at": at, "published_after": at}

    def dependency(of: tuple[str, str], on: str, req: str) -> dict:
        kind = "dev" if on.startswith("!") else "normal"
        row = {"name": of[0], "num": of[1], "dependency": on.lstrip("?!"), "req": req, "kind": kind}
        return {**row, "optional": on.startswith("?"), "default_features": True}

    def advisory(number: int, package: str, patched: list[str], informational: str | None = None) -> dict:
        row = {"id": f"RUSTSEC-2020-{number:04}", "package": package, "patched": patched, "unaffected": []}
        return {**row, "informational": informational, "date": MAY.date(), "known_at": MAY}

    return {
        "versions": [{**version(*of), "published_at_exact": True, "feature_names": []} for of in VERSIONS],
        "dependencies": [dependency(of, on, req) for of, needs in VERSIONS.items() for on, req in needs],
        "yanks": [{"name": "sore", "num": "2.0.0", "yanked_at": MAY, "yanked_at_exact": True}],
        "advisories": [
            *(advisory(n, name, [">=2"]) for n, name in enumerate(("rot", "sore", "slow", "both"))),
            advisory(4, "both", [], "unmaintained"),
            advisory(5, "left", [], "unmaintained"),
            advisory(6, "left", [], "notice"),
            advisory(7, "late-rot", ["<2"]),
        ],
    }


Culprits = dict[tuple[str, str], list[dict]]


def culprits_of(folder: Path, facts: Rows, *dates: str) -> list[list[dict]]:
    """The rows of each date, of a registry of these facts."""
    write_registry(folder / "registry", from_rows(facts))
    resources = bundled_resources(folder / "data", folder / "registry")
    build_registry(resources)
    return [build("culprits", date, resources).rows.to_pylist() for date in dates]


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Culprits, Culprits]:
    """The rows by crate and culprit, before and after the late fix."""

    def by_crate(rows: list[dict]) -> Culprits:
        found: Culprits = {}
        for row in rows:
            found.setdefault((row["crate"], row["culprit"]), []).append(row)
        return found

    before, after = culprits_of(tmp_path_factory.mktemp("culprits"), registry(), BEFORE_LATE, AFTER_LATE)
    return by_crate(before), by_crate(after)


@pytest.mark.parametrize(("pair", "words"), WORDS.items(), ids=lambda value: " ".join(map(str, value)))
def test_actor_and_remedy(
    synthetic: tuple[Culprits, Culprits], pair: tuple[str, str], words: tuple[str, str | None, str]
) -> None:
    (row,) = synthetic[0][pair]
    assert (row["fixable_by"], row["actor"], row["remedy"]) == words


def test_fix_counts_from_its_publication(synthetic: tuple[Culprits, Culprits]) -> None:
    before, after = synthetic
    assert before["late_fix", "slow"][0]["fixed_version"] is None
    (row,) = after["late_fix", "slow"]
    assert (row["fixed_version"], row["fixable_by"], row["remedy"]) == (
        "2.0.0",
        "you",
        "upgrade slow to 2.0.0 or later",
    )


def test_each_issue_has_its_own_row(synthetic: tuple[Culprits, Culprits]) -> None:
    rows = synthetic[0]["half_fix", "both"]
    found = [(r["issue"], r["advisories"], r["fixed_version"], r["fixable_by"]) for r in rows]
    assert found == [
        ("unmaintained", ["RUSTSEC-2020-0004"], None, "nobody"),
        ("vulnerable", ["RUSTSEC-2020-0003"], "2.0.0", "you"),
    ]


def test_optional_and_dev_dependencies_are_excluded(synthetic: tuple[Culprits, Culprits]) -> None:
    assert ("optional", "rot") not in synthetic[0]


def test_every_holder_is_counted(synthetic: tuple[Culprits, Culprits]) -> None:
    (row,) = synthetic[0]["two_ways", "rot"]
    assert (row["path"], row["through"], row["holders"]) == (["two-ways", "rot"], ["mid", "rot"], 2)
    assert (row["holder"], row["holder_requirement"], row["holder_fixed_version"]) == ("two-ways", "=1.0.0", None)
    (row,) = synthetic[0]["tie", "rot"]
    assert (row["path"], row["through"], row["holders"]) == (["tie", "a-mid", "rot"], ["a-mid", "mid"], 2)
    (row,) = synthetic[0]["behind", "rot"]
    assert (row["path"], row["holder_version"], row["holder_fixed_version"]) == (
        ["behind", "web", "rot"],
        "1.0.0",
        "2.0.0",
    )


@pytest.mark.parametrize("seed", [1, 2, 13])
def test_rows_equal_the_reference_implementation(tmp_path: Path, seed: int) -> None:
    facts = random_facts(seed)
    (rows,) = culprits_of(tmp_path, facts, AFTER_LATE)
    expected = culprits_reference(facts)
    found = [{name: row[name] for name in expected[0]} for row in rows]
    assert found == expected
    assert {row["fixable_by"] for row in found} == {"you", "dependency", "nobody"}
    assert len(rows) > 100
    assert max(row["holders"] for row in found) > 1


def culprits_sha256(as_of: str, facts: Rows) -> str:
    """The bytes of `culprits[as_of]`."""
    with TemporaryDirectory() as folder:
        write_registry(Path(folder) / "registry", from_rows(facts))
        resources = bundled_resources(Path(folder) / "data", Path(folder) / "registry")
        build_registry(resources)
        published = build("culprits", as_of, resources).published
        assert published
        return published.sha256


def with_future(past: Rows) -> Rows:
    """The same facts and as many others dated after June, which would change almost every row."""
    future = random_facts(13, LATE)
    known = {(v["name"], v["num"]) for v in past["versions"]}
    future["versions"] = [v for v in future["versions"] if (v["name"], v["num"]) not in known]
    published = {(v["name"], v["num"]) for v in future["versions"]}
    future["dependencies"] = [d for d in future["dependencies"] if (d["name"], d["num"]) in published]
    yanked = {(y["name"], y["num"]) for y in past["yanks"]}
    future["yanks"] = [
        y for y in future["yanks"] if (y["name"], y["num"]) in known | published and (y["name"], y["num"]) not in yanked
    ]
    # known facts change too: every yank is undone, and every advisory is revised to be patched in all versions
    undone = [{**yank, "unyanked_at": LATE} for yank in past["yanks"]]
    revised = [{**advisory, "known_at": LATE, "patched": ["*"]} for advisory in past["advisories"]]
    return {
        "versions": past["versions"] + future["versions"],
        "dependencies": past["dependencies"] + future["dependencies"],
        "yanks": undone + future["yanks"],
        "advisories": past["advisories"] + revised + future["advisories"],
    }


def test_facts_dated_after_the_as_of_date_change_no_byte() -> None:
    past = random_facts(2)
    future = with_future(past)
    assert culprits_sha256(BEFORE_LATE, past) == culprits_sha256(BEFORE_LATE, future)
    assert culprits_sha256(AFTER_LATE, past) != culprits_sha256(AFTER_LATE, future)


def test_demo_has_the_crates_that_features_count(demo: tuple[Settings, str]) -> None:
    con = duckdb.connect(str(demo[0].catalog), read_only=True)
    named = """
        select crate, list(distinct culprit order by culprit) as names
        from culprits where issue = '{}' group by crate order by crate
    """
    counted = (
        "select crate, tree_{0}_names from features where as_of = (select max(as_of) from culprits) and tree_{0} > 0"
    )
    for issue in ("vulnerable", "unmaintained"):
        rows = con.execute(named.format(issue)).fetchall()
        assert rows == con.execute(f"{counted.format(issue)} order by crate").fetchall()
        assert len(rows) > 50
    assert con.execute("""
        select count(*) from culprits
        where path[-1] != culprit or path[-2] != holder or not list_contains(path, coalesce(actor, culprit))
            or (fixable_by = 'nobody') != (actor is null) or fixable_by = 'you' and actor != path[1]
    """).fetchall() == [(0,)]
