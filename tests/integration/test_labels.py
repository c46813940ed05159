"""What came true, and what cannot be known yet, on a registry of made-up cases."""

from datetime import datetime, timedelta

import pytest

from testing.registries import from_rows, write_registry
from testing.table_builds import build, build_registry, bundled_resources

BEFORE, AS_OF, LATER = datetime(2020, 1, 1), "2020-03-01", "2020-06-01"
NOW = datetime(2020, 2, 29, 23, 59, 59)


def after(days: float) -> datetime:
    """So many days after what is known on AS_OF."""
    return NOW + timedelta(days=days)


# crate: its versions as (number, time, what it builds with; `?` marks an optional dependency, `!` one for tests)
CRATES: dict[str, list[tuple[str, datetime, str]]] = {
    # what is built on: `come` gets a project, `left` loses one, `even` loses one and gets one, `drained` loses two and
    # gets one, `kin` gets one of its own family, `settled` a second crate of a family that it has, `visited` one that
    # goes again, `slow` one after 116 days and before 136, `aside` one that uses it in tests alone
    **{
        name: [("1.0.0", BEFORE, "")]
        for name in ("come", "left", "even", "drained", "kin", "settled", "visited", "slow", "aside")
    },
    "anna": [("1.0.0", after(10), "come")],
    "bert": [("1.0.0", BEFORE, "left"), ("1.1.0", after(10), "")],
    "carl": [("1.0.0", BEFORE, "even"), ("1.1.0", after(10), "")],
    "dora": [("1.0.0", BEFORE, ""), ("1.1.0", after(10), "even")],
    "emil": [("1.0.0", BEFORE, "drained"), ("1.1.0", after(10), "")],
    "fritz": [("1.0.0", BEFORE, "drained"), ("1.1.0", after(10), "")],
    "gina": [("1.0.0", after(10), "drained")],
    "kin-tool": [("1.0.0", after(10), "kin")],
    "hans": [("1.0.0", BEFORE, "settled")],
    "hans-two": [("1.0.0", after(10), "settled")],
    "ida": [("1.0.0", after(10), "visited"), ("1.1.0", after(50), "")],
    "jan": [("1.0.0", after(120), "slow")],
    "karl": [("1.0.0", after(10), "!aside")],
    # what advisories are on, and what holds them: `rotten` 2.0.0 is not affected
    **{name: [("1.0.0", BEFORE, "")] for name in ("known", "tardy", "withdrawn", "unsound", "fine")},
    "rotten": [("1.0.0", BEFORE, ""), ("2.0.0", BEFORE, "")],
    "holder": [("1.0.0", BEFORE, "rotten ^1")],
    "far": [("1.0.0", BEFORE, "holder")],
    "modern": [("1.0.0", BEFORE, "rotten ^2")],
    "optional": [("1.0.0", BEFORE, "?rotten ^1")],
    "moves-on": [("1.0.0", BEFORE, "rotten ^1"), ("1.1.0", after(10), "fine")],
    **{f"holds-{name}": [("1.0.0", BEFORE, name)] for name in ("known", "tardy", "withdrawn", "unsound", "fine")},
    # nobody knows when its last version came: the instant is inside for 43 days of LATER
    "vague": [("1.0.0", BEFORE, "")],
    # one day of 43 it came, and one later
    "lively": [("1.0.0", BEFORE, ""), ("1.0.1", after(43), "")],
    "late": [("1.0.0", BEFORE, ""), ("1.0.1", after(43) + timedelta(seconds=1), "")],
    "unborn": [("1.0.0", after(1), "")],
}
LAST_READ = datetime(2021, 8, 1)  # the newest advisory: past the end of 487 days of AS_OF, not of LATER
# crate: when its advisory became known, and what else is in it
ADVISORIES = {
    "rotten": {"known_at": after(200), "unaffected": [">=2"]},
    "known": {"known_at": NOW},
    "tardy": {"known_at": LAST_READ},
    "withdrawn": {"known_at": after(20), "withdrawn": after(30).date()},
    "unsound": {"known_at": after(20), "informational": "unsound"},
}


def facts() -> dict[str, list[dict]]:
    """The rows above in the bundled format."""
    versions, dependencies = [], []
    for name, published in CRATES.items():
        for position, (num, at, needs) in enumerate(published):
            row = {"name": name, "num": num, "position": position, "published_at": at, "published_after": at}
            versions.append({**row, "published_at_exact": True, "feature_names": []})
            if needs:
                on, _, req = needs.lstrip("?!").partition(" ")
                kind = "dev" if needs.startswith("!") else "normal"
                row = {"name": name, "num": num, "dependency": on, "req": req or "*", "kind": kind}
                dependencies.append({**row, "optional": needs.startswith("?"), "default_features": True})
    end = datetime(2020, 7, 13, 23, 59, 59)
    hour = timedelta(hours=1)
    vague = {"published_at": end + hour, "published_after": end - hour, "published_at_exact": False}
    versions.append({**versions[0], "name": "vague", "num": "1.0.1", "position": 1, **vague})
    advisories = [
        {"id": f"RUSTSEC-{name}", "package": name, "date": BEFORE.date(), "patched": [], "unaffected": [], **what}
        for name, what in ADVISORIES.items()
    ]
    return {"versions": versions, "dependencies": dependencies, "advisories": advisories}


Labels = dict[tuple[str, str, int], dict]


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Labels]:
    """Of AS_OF and LATER: a row of `labels` per target, crate and horizon."""
    folder = tmp_path_factory.mktemp("labels")
    write_registry(folder / "registry", from_rows(facts()), advisories_at="2022-01-01T00:00:00")
    resources = bundled_resources(folder / "data", folder / "registry")
    build_registry(resources)
    found = {}
    for as_of in (AS_OF, LATER):
        build("features", as_of, resources)
        rows = build("labels", as_of, resources).rows.to_pylist()
        found[as_of] = {(r["target"], r["crate"], r["horizon_days"]): r for r in rows}
    return found


def true_of(labels: Labels, target: str, days: int) -> set[str]:
    """The crates for which it came true; for all others it is false."""
    rows = {crate: r["label"] for (t, crate, d), r in labels.items() if (t, d) == (target, days)}
    assert len(rows) == sum(published[0][1] <= NOW for published in CRATES.values())
    assert set(rows.values()) == {True, False}
    return {crate for crate, label in rows.items() if label}


def test_maintenance_is_a_version_in_the_horizon(labels: dict[str, Labels]) -> None:
    released = {name for name, published in CRATES.items() if published[0][1] <= NOW and published[-1][1] <= after(43)}
    released = {name.replace("-", "_") for name in released if CRATES[name][-1][1] > NOW}
    assert "lively" in released
    assert true_of(labels[AS_OF], "maintenance", 43) == released


def test_popularity_is_a_crate_of_another_project_that_stays(labels: dict[str, Labels]) -> None:
    gained = {"come", "even", "drained", "settled", "fine"}
    assert true_of(labels[AS_OF], "popularity", 116) == gained
    assert true_of(labels[AS_OF], "popularity", 136) == gained | {"slow"}


def test_quality_is_a_project_that_comes_and_no_more_that_leave(labels: dict[str, Labels]) -> None:
    assert true_of(labels[AS_OF], "quality", 116) == {"come", "even", "fine"}
    assert true_of(labels[AS_OF], "quality", 136) == {"come", "even", "fine", "slow"}


def test_security_is_a_vulnerability_known_in_the_horizon(labels: dict[str, Labels]) -> None:
    assert true_of(labels[AS_OF], "security", 487) == {"rotten"}


def test_dependency_health_is_a_vulnerability_in_what_the_build_resolved_to(labels: dict[str, Labels]) -> None:
    for days in (252, 365):
        assert true_of(labels[AS_OF], "dependency_health", days) == {"holder", "far", "moves_on"}


def test_a_horizon_ends_to_the_second(labels: dict[str, Labels]) -> None:
    assert not any(
        r["label"] for (target, _, days), r in labels[AS_OF].items() if (target, days) == ("dependency_health", 136)
    )
    ends = {days: r["known_at"] for (_, _, days), r in labels[AS_OF].items()}
    assert ends == {days: after(days) for days in (43, 116, 136, 252, 365, 487)}


def test_crates_that_were_not_there_have_no_labels(labels: dict[str, Labels]) -> None:
    assert {crate for _, crate, _ in labels[AS_OF]} == {
        name.replace("-", "_") for name, published in CRATES.items() if published[0][1] <= NOW
    }
    assert "unborn" in {crate for _, crate, _ in labels[LATER]}


def test_what_cannot_be_known_is_null_and_says_why(labels: dict[str, Labels]) -> None:
    """The registry is known until 2020-07-20, advisories until the last that was read."""
    why = {
        as_of: {(target, days): r["censored"] for (target, _, days), r in found.items()}
        for as_of, found in labels.items()
    }
    assert set(why[AS_OF].values()) == {None}
    assert why[LATER] == {
        ("maintenance", 43): "inexact dates",
        **{(target, days): "not yet" for target in ("popularity", "quality") for days in (116, 136)},
        **{("dependency_health", days): None for days in (136, 252, 365)},
        ("security", 487): "not yet",
    }
    for found in labels.values():
        assert all((r["label"] is None) == (r["censored"] is not None) for r in found.values())
