"""The central guarantee: a fact dated after T changes no byte of `features[T]`."""

from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.features import steps
from testing.fuzzing import times as times_fuzzed
from testing.registries import from_rows, write_registry
from testing.table_builds import build, build_registry, bundled_resources

FIRST, LAST = datetime(2018, 1, 1), datetime(2020, 7, 20, 4, 14, 39)
NAMES = ("alpha", "alpha_core", "beta", "gamma_x", "delta", "epsilon")
NUMS = ("0.1.0", "0.1.1", "0.2.0-rc.1", "0.2.0", "1.0.0", "1.1.0", "2.0.0-beta", "2.0.0")
REQS = ("^0.1", "^1", "*", "=0.1.1", ">=0.2.0-rc.1", "~1.0", "<2", "^2.0.0-beta")

Rows = dict[str, list[dict]]


def times(low: datetime, high: datetime) -> st.SearchStrategy[datetime]:
    seconds = int((high - low).total_seconds())
    return st.integers(0, seconds).map(lambda s: low + timedelta(seconds=s))


def versions(names: st.SearchStrategy[str], low: datetime, high: datetime) -> st.SearchStrategy[list[dict]]:
    """Versions of some crates, with exact or bounded dates inside [low, high]."""

    def one(name: str, num: str, at: datetime, exact: bool, slack: int, unknown: bool) -> dict:
        after = at if exact else None if unknown and low == FIRST else max(at - timedelta(days=slack), low)
        return {
            "name": name,
            "num": num,
            "position": NUMS.index(num),
            "published_at": at,
            "published_after": after,
            "published_at_exact": exact,
            "feature_names": [],
        }

    row = st.builds(
        one, names, st.sampled_from(NUMS), times(low, high), st.booleans(), st.integers(0, 400), st.booleans()
    )
    return st.lists(row, max_size=12, unique_by=lambda r: (r["name"], r["num"]))


def facts_of(published: list[dict], low: datetime, high: datetime) -> st.SearchStrategy[Rows]:
    """Dependencies of the versions, yanks and advisories, all dated inside [low, high]."""
    ids = [(v["name"], v["num"]) for v in published] or [("alpha", "9.9.9")]

    def dependency(of: tuple[str, str], on: str, req: str, kind: str, optional: bool) -> dict:
        return {
            "name": of[0],
            "num": of[1],
            "dependency": on,
            "req": req,
            "kind": kind,
            "optional": optional,
            "default_features": True,
        }

    def yank(of: tuple[str, str], at: datetime, undone: datetime | None) -> dict:
        return {
            "name": of[0],
            "num": of[1],
            "yanked_at": at,
            "yanked_at_exact": True,
            "unyanked_at": undone if undone and undone > at else None,
        }

    def advisory(number: int, package: str, at: datetime, informational: str | None, patched: list[str]) -> dict:
        return {
            "id": f"RUSTSEC-{at:%Y%m%d%H%M%S}-{number}",
            "package": package,
            "date": FIRST.date(),
            "known_at": at,
            "informational": informational,
            "patched": patched,
            "unaffected": [],
        }

    of = st.sampled_from(ids)
    on = st.sampled_from(NAMES)
    return st.fixed_dictionaries(
        {
            "versions": st.just(published),
            "dependencies": st.lists(
                st.builds(
                    dependency,
                    of,
                    on,
                    st.sampled_from(REQS),
                    st.sampled_from(["normal", "build", "dev"]),
                    st.booleans(),
                ),
                max_size=14,
            ),
            "yanks": st.lists(
                st.builds(yank, of, times(low, high), st.none() | times(low, high)),
                max_size=4,
                unique_by=lambda y: (y["name"], y["num"]),
            ),
            "advisories": st.lists(
                st.builds(
                    advisory,
                    st.integers(0, 99),
                    on,
                    times(low, high),
                    st.sampled_from([None, "unmaintained", "unsound"]),
                    st.sampled_from([[], [">=1.0.0"], ["^0.1.1", ">=2"]]),
                ),
                max_size=3,
                unique_by=lambda a: a["id"],
            ),
        }
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[str, Rows, Rows]:
    """A date T, the facts up to T, and the same facts plus arbitrary ones dated after T."""
    day = draw(st.dates(date(2020, 3, 26), date(2020, 7, 20)))
    end = datetime.combine(day, datetime.min.time()) - timedelta(seconds=1)
    start = end + timedelta(seconds=1)
    first = {"name": "alpha", "num": "0.0.1", "position": 0, "published_at": FIRST, "published_at_exact": True}
    past = draw(facts_of([first, *draw(versions(st.sampled_from(NAMES), FIRST, end))], FIRST, end))
    later = draw(versions(st.sampled_from((*NAMES, "zeta", "beta-2")), start, LAST))
    taken = {(v["name"], v["num"]) for v in past["versions"]}
    later = [v for v in later if (v["name"], v["num"]) not in taken]
    future = draw(facts_of(later, start, LAST))
    # later, known versions are yanked and known yanks are undone
    for version in draw(
        st.lists(st.sampled_from(past["versions"]), max_size=3, unique_by=lambda v: (v["name"], v["num"]))
    ):
        future["yanks"].append(
            {
                "name": version["name"],
                "num": version["num"],
                "yanked_at": draw(times(start, LAST)),
                "yanked_at_exact": True,
            }
        )
    # a known advisory and a known version appear again
    for advisory in draw(
        st.lists(st.sampled_from(past["advisories"]), max_size=1) if past["advisories"] else st.just([])
    ):
        future["advisories"].append({**advisory, "known_at": draw(times(start, LAST))})
    for version in draw(st.lists(st.sampled_from(past["versions"]), max_size=1)):
        again = draw(times(start, LAST))
        future["versions"].append({**version, "position": 99, "published_at": again, "published_after": again})
    # the time at which known yanks are undone may be after the snapshot
    undo = draw(st.none() | times(start, LAST + timedelta(days=30)))
    past_yanks = [{**y, "unyanked_at": y["unyanked_at"] or undo} for y in past["yanks"]]
    withdrawn = draw(st.none() | st.dates(day, LAST.date()))
    past_advisories = [{**a, "withdrawn": withdrawn} for a in past["advisories"]]
    changed = {
        "versions": past["versions"] + future["versions"],
        "dependencies": past["dependencies"] + future["dependencies"],
        "yanks": past_yanks + future["yanks"],
        "advisories": past_advisories + future["advisories"],
    }
    return day.isoformat(), past, changed


def features_sha256(as_of: str, rows: Rows) -> tuple[str, int]:
    """Hash and row count of `features[as_of]` of a registry with these facts."""
    with TemporaryDirectory() as folder:
        write_registry(Path(folder) / "registry", from_rows(rows))
        resources = bundled_resources(Path(folder) / "data", Path(folder) / "registry")
        build_registry(resources)
        published = build("features", as_of, resources).published
        assert published
        return published.sha256, published.rows


@settings(
    max_examples=times_fuzzed(8),
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(worlds())
def test_facts_dated_after_the_as_of_date_change_no_byte(world: tuple[str, Rows, Rows]) -> None:
    as_of, past, changed = world
    assert features_sha256(as_of, past) == features_sha256(as_of, changed)


def _version(name: str, num: str, at: datetime, position: int = 0) -> dict:
    return {
        "name": name,
        "num": num,
        "position": position,
        "published_at": at,
        "published_after": at,
        "published_at_exact": True,
        "feature_names": [],
    }


def past_and_future() -> tuple[Rows, Rows]:
    """A past of three crates, and a future that changes each of them in every way."""
    before, after = datetime(2020, 4, 1), datetime(2020, 6, 1)
    past: Rows = {
        "versions": [
            _version("alpha", "1.0.0", before),
            _version("beta", "1.0.0", before),
            _version("gamma_x", "0.1.0", before),
        ],
        "dependencies": [
            {
                "name": n,
                "num": num,
                "dependency": "alpha",
                "req": "^1",
                "kind": "normal",
                "optional": False,
                "default_features": True,
            }
            for n, num in (("beta", "1.0.0"), ("gamma_x", "0.1.0"))
        ],
        "yanks": [{"name": "gamma_x", "num": "0.1.0", "yanked_at": before, "yanked_at_exact": True}],
        "advisories": [],
    }
    future: Rows = {
        "versions": [*past["versions"], _version("alpha", "1.1.0", after, 1), _version("delta", "1.0.0", after)],
        "dependencies": [*past["dependencies"], {**past["dependencies"][0], "name": "delta"}],
        "yanks": [
            {**past["yanks"][0], "unyanked_at": after},
            {"name": "beta", "num": "1.0.0", "yanked_at": after, "yanked_at_exact": True},
        ],
        "advisories": [
            {
                "id": "RUSTSEC-1",
                "package": "alpha",
                "known_at": after,
                "date": before.date(),
                "patched": [],
                "unaffected": [],
            }
        ],
    }
    return past, future


def test_each_fact_of_the_future_changes_no_byte() -> None:
    past, future = past_and_future()
    assert features_sha256("2020-05-01", past) == features_sha256("2020-05-01", future)


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("where v.created_at <= getvariable('known_at')", "where true"),
        ("and y.yanked_at <= getvariable('known_at')", ""),
        ("or y.unyanked_at > getvariable('known_at')", ""),
        ("where a.revised_at <= getvariable('known_at')", "where true"),
        ("a.revised_at <= getvariable('known_at')", "a.date <= getvariable('known_at')::date"),
    ],
)
def test_breaking_the_rule_is_detected(rule: str, broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    past, future = past_and_future()
    text = steps.KNOWN.path.read_text()
    assert rule in text
    (tmp_path / "broken.sql").write_text(text.replace(rule, broken))
    changed = [steps.Step(tmp_path / "broken.sql") if step is steps.KNOWN else step for step in steps.STEPS]
    monkeypatch.setattr(steps, "STEPS", changed)
    assert features_sha256("2020-05-01", past) != features_sha256("2020-05-01", future)
