"""Labels: positives of each target, and labels that are not known, on a synthetic registry."""

from datetime import datetime, timedelta

import pytest

from testing.registries import from_rows, write_registry
from testing.table_builds import build, build_registry, bundled_resources

BEFORE, AS_OF, LATER = datetime(2020, 1, 1), "2020-03-01", "2020-06-01"
NOW = datetime(2020, 2, 29, 23, 59, 59)


def after(days: float) -> datetime:
    """The instant `days` after the last instant known on AS_OF."""
    return NOW + timedelta(days=days)


# crate: its versions as (number, time, dependency; `?` marks an optional one, `!` a dev-dependency)
CRATES: dict[str, list[tuple[str, datetime, str]]] = {
    # dependencies: `come` gains a project, `left` loses one, `even` loses one and gains one, `drained` loses two and
    # gains one, `kin` gains one of its own family, `settled` a second crate of a family that it has, `visited` one that
    # drops it again, `slow` one after 116 and before 136 days, `aside` one with only a dev-dependency
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
    # crates with advisories, and crates that depend on them; `rotten` 2.0.0 is not affected
    **{name: [("1.0.0", BEFORE, "")] for name in ("known", "tardy", "withdrawn", "unsound", "fine")},
    "rotten": [("1.0.0", BEFORE, ""), ("2.0.0", BEFORE, "")],
    "holder": [("1.0.0", BEFORE, "rotten ^1")],
    "far": [("1.0.0", BEFORE, "holder")],
    "modern": [("1.0.0", BEFORE, "rotten ^2")],
    "optional": [("1.0.0", BEFORE, "?rotten ^1")],
    "moves-on": [("1.0.0", BEFORE, "rotten ^1"), ("1.1.0", after(10), "fine")],
    **{f"holds-{name}": [("1.0.0", BEFORE, name)] for name in ("known", "tardy", "withdrawn", "unsound", "fine")},
    # the time of its last version is not known: the bounds contain the end of 43 days after LATER
    "vague": [("1.0.0", BEFORE, "")],
    # a version in the last second of 43 days, and one a second later
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
    """The rows above in the format of the bundled registry."""
    versions, dependencies = [], []
    for name, published in CRATES.items():
        for position, (num, at, dependency) in enumerate(published):
            row = {"name": name, "num": num, "position": position, "published_at": at, "published_after": at}
            versions.append({**row, "published_at_exact": True, "feature_names": []})
            if dependency:
                on, _, req = dependency.lstrip("?!").partition(" ")
                kind = "dev" if dependency.startswith("!") else "normal"
                row = {"name": name, "num": num, "dependency": on, "req": req or "*", "kind": kind}
                dependencies.append({**row, "optional": dependency.startswith("?"), "default_features": True})
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
    """The rows of `labels` of AS_OF and LATER, by target, crate and horizon."""
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


def positives(labels: Labels, target: str, days: int) -> set[str]:
    """The crates with a positive label; all others have a negative one."""
    rows = {crate: r["label"] for (t, crate, d), r in labels.items() if (t, d) == (target, days)}
    assert len(rows) == sum(published[0][1] <= NOW for published in CRATES.values())
    assert set(rows.values()) == {True, False}
    return {crate for crate, label in rows.items() if label}


def test_maintenance_is_positive_with_a_version_in_the_horizon(labels: dict[str, Labels]) -> None:
    released = {name for name, published in CRATES.items() if published[0][1] <= NOW and published[-1][1] <= after(43)}
    released = {name.replace("-", "_") for name in released if CRATES[name][-1][1] > NOW}
    assert "lively" in released
    assert positives(labels[AS_OF], "maintenance", 43) == released


def test_popularity_is_positive_with_a_lasting_dependent_of_another_project(labels: dict[str, Labels]) -> None:
    gained = {"come", "even", "drained", "settled", "fine"}
    assert positives(labels[AS_OF], "popularity", 116) == gained
    assert positives(labels[AS_OF], "popularity", 136) == gained | {"slow"}


def test_quality_is_positive_with_a_new_project_and_no_more_lost_than_gained(labels: dict[str, Labels]) -> None:
    assert positives(labels[AS_OF], "quality", 116) == {"come", "even", "fine"}
    assert positives(labels[AS_OF], "quality", 136) == {"come", "even", "fine", "slow"}


def test_security_is_positive_with_a_vulnerability_known_in_the_horizon(labels: dict[str, Labels]) -> None:
    assert positives(labels[AS_OF], "security", 487) == {"rotten"}


def test_dependency_health_is_positive_with_a_vulnerability_in_the_resolved_build(labels: dict[str, Labels]) -> None:
    for days in (252, 365):
        assert positives(labels[AS_OF], "dependency_health", days) == {"holder", "far", "moves_on"}


def test_horizon_ends_to_the_second(labels: dict[str, Labels]) -> None:
    assert not any(
        r["label"] for (target, _, days), r in labels[AS_OF].items() if (target, days) == ("dependency_health", 136)
    )
    ends = {days: r["known_at"] for (_, _, days), r in labels[AS_OF].items()}
    assert ends == {days: after(days) for days in (43, 116, 136, 252, 365, 487)}


def test_crates_published_later_have_no_labels(labels: dict[str, Labels]) -> None:
    assert {crate for _, crate, _ in labels[AS_OF]} == {
        name.replace("-", "_") for name, published in CRATES.items() if published[0][1] <= NOW
    }
    assert "unborn" in {crate for _, crate, _ in labels[LATER]}


def test_unknown_label_is_null_with_a_reason(labels: dict[str, Labels]) -> None:
    """The registry is known until 2020-07-20, advisories until the last one read."""
    reasons = {
        as_of: {(target, days): r["censored"] for (target, _, days), r in found.items()}
        for as_of, found in labels.items()
    }
    assert set(reasons[AS_OF].values()) == {None}
    assert reasons[LATER] == {
        ("maintenance", 43): "inexact dates",
        **{(target, days): "not yet" for target in ("popularity", "quality") for days in (116, 136)},
        **{("dependency_health", days): None for days in (136, 252, 365)},
        ("security", 487): "not yet",
    }
    for found in labels.values():
        assert all((r["label"] is None) == (r["censored"] is not None) for r in found.values())
