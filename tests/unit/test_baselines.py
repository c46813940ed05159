"""Other tools' formulas on synthetic crates; the expected values are worked out by hand from their sources."""

from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from assets.features.steps import PER_CRATE, TREES
from assets.schemas.features import FEATURES
from ml.baselines import BASELINES
from resources.warehouse.session import set_variables

DEFAULTS = {"string": "", "bool": False, "date": date(2020, 5, 9), "int64": 0, "uint64": 0, "double": 0.0}
LIVE = {"downloads_30d": 900.0, "downloads_previous_30d": 300.0, "owners_min": 2, "owner_teams_min": 0, "edition": 2018}


def crates(count: int = 1, **values: Any) -> pd.DataFrame:
    """Features of crates with only `values` known: all other columns are 0, or null where the schema allows it."""
    plain = {c.name: np.nan if c.nullable else DEFAULTS.get(c.type) for c in FEATURES.columns}
    made = pd.DataFrame({name: [value] * count for name, value in (plain | {"versions": 1}).items()})
    for name, value in values.items():
        names = [f"{name}_min", f"{name}_max"] if f"{name}_max" in made else [name]
        for column in names:
            made[column] = value
    return made


def score(name: str, frame: pd.DataFrame) -> list[float]:
    return BASELINES[name].score(frame).tolist()


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("known", [{}, LIVE | {"release_interval_days": 7.0, "dependents_gained_long": 1.0}])
def test_every_formula_scores_every_crate(name: str, known: dict) -> None:
    found = BASELINES[name].score(crates(3, **known))
    assert type(found) is np.ndarray
    assert found.shape == (3,)
    assert np.isfinite(found).all()
    assert BASELINES[name].name == name
    assert BASELINES[name].covers(crates(3, **known))


def test_single_signals() -> None:
    frame = crates(2, days_since_release=[10, 400], dependents_independent=[3, 0], advisories=[0, 2])
    assert score("recency", frame) == [-10, -400]
    assert score("dependents", frame) == [3, 0]
    assert score("past_advisories", frame) == [0, 2]
    assert score("tree_size", crates(transitive_dependencies=7)) == [7]
    assert score("momentum", crates(2, dependents_independent=5, dependents_gained_recent=[np.nan, 2])) == [0.05, 2.05]


def test_release_rhythm_is_time_since_release_over_its_interval() -> None:
    frame = crates(2, days_since_release=20, age_days=300, versions=3, release_interval_days=[5, np.nan])
    assert score("release_rhythm", frame) == [-4, -0.2]
    assert BASELINES["release_rhythm"].covers(frame) == "all; the median interval for 50% of the crates, else the mean"


def test_cargo_aprz_is_the_share_of_available_points() -> None:
    frame = crates(age_days=400, major=1, releases_365d=2)
    assert score("cargo_aprz", frame) == pytest.approx([100 * (11 + 7) / 23])
    assert BASELINES["cargo_aprz"].covers(frame).startswith("23 of 109 points: maturity, release; gates on")
    # 4,000 downloads in 60 days make 6,000 in 90: 8 of 10 points; without downloads, 10 fewer points are available
    live = crates(2, age_days=400, major=1, releases_365d=2, **LIVE).assign(downloads_30d=[3000, np.nan])
    live["downloads_previous_30d"] = [1000, np.nan]
    assert score("cargo_aprz", live) == pytest.approx([100 * (18 + 8 + 9) / 42, 100 * (18 + 9) / 32])
    assert BASELINES["cargo_aprz"].covers(live).startswith("42 of 109 points: maturity, usage, ownership, release;")


@pytest.mark.parametrize("gate", ["is_vulnerable", "is_unmaintained", "all_yanked", "advisories_unsound"])
def test_cargo_aprz_is_zero_if_a_gate_fails(gate: str) -> None:
    assert score("cargo_aprz", crates(age_days=400, **{gate: True})) == [0]


def test_source_rank_counts_signals() -> None:
    good: dict[str, Any] = {"versions": 3, "releases_180d": 1, "age_days": 200, "major": 1, "dependents": 100}
    assert score("source_rank", crates(**good)) == [1 + 1 + 1 + 1 + 1 + 4]
    assert score("source_rank", crates(**good, dependencies_outdated=2, is_unmaintained=True)) == [9 - 1 - 5]
    assert score("source_rank", crates(**good, prerelease_versions=3)) == [9 - 2]
    assert score("source_rank", crates(all_yanked=True)) == [0]


def test_npms_maintenance_weights_releases_per_quarter() -> None:
    once = crates(releases_180d=1, releases_365d=1, releases_730d=1)
    assert score("npms_maintenance", once) == pytest.approx([0.45 / 2 + 0.20 * 90 / 365 + 0.10 * 90 / 730])
    often = crates(releases_30d=10, releases_180d=10, releases_365d=10, releases_730d=10)
    assert score("npms_maintenance", often) == [1]


def test_npms_health() -> None:
    few = crates(dependencies_normal=6, dependencies_build=2, dependencies_outdated=1, tree_vulnerable=1)
    assert score("npms_health", few) == [0.5]
    assert score("npms_health", few.assign(requirements_wildcard=1)) == [0.25]
    assert score("npms_health", few.assign(dependencies_normal=18)) == pytest.approx([0.8])
    assert score("npms_health", crates()) == [1]


def test_npms_popularity_prefers_downloads() -> None:
    assert score("npms_popularity", crates(dependents=4)) == [4]
    assert BASELINES["npms_popularity"].covers(crates()) == "0 of 5 points: dependents instead of downloads"
    assert score("npms_popularity", crates(2, dependents=4, downloads_30d=[90, np.nan])) == [90, 0]


def test_criticality_score_is_a_mean_of_logarithms() -> None:
    ten_years = 120 * 365.25 / 12
    assert score("criticality_score", crates(age_days=ten_years)) == pytest.approx([(1 + 1) / 6.5])
    assert score("criticality_score", crates(age_days=ten_years, days_since_release=2 * ten_years)) == pytest.approx(
        [1 / 6.5]
    )
    top = crates(age_days=ten_years, releases_365d=26, dependents=200_000)
    assert score("criticality_score", top) == pytest.approx([1])
    assert BASELINES["criticality_score"].covers(top) == "6.5 of 13.5 points: created, updated, releases, dependents"


def test_graph_baselines_are_feature_columns() -> None:
    assert score("pagerank", crates(pagerank=3.5)) == [3.5]
    assert score("conemass", crates(conemass=0.75)) == [0.75]


def test_lib_rs_weights_version_and_activity() -> None:
    # a first version 0.1.0 published today: "newest after 2017", one release of 15, fresh, fresh dependencies
    version = (10 + 1) * 5 / 140 / (132 * 5 / 140)
    assert score("lib_rs", crates(mature_versions=1)) == pytest.approx([0.4 * version + 0.6 * 24 / 50])
    features = (11 * 5 / 140 + 4 * 2 / 229) / (132 * 5 / 140 + 4 * 2 / 229)
    assert score("lib_rs", crates(mature_versions=1, feature_count=1)) == pytest.approx(
        [0.4 * features + 0.6 * 24 / 50]
    )


def test_lib_rs_score_falls_after_the_due_date() -> None:
    # 0.1.0 alone is due after 50 days and stale 225 days later
    fresh, stale, old = score("lib_rs", crates(3, days_since_release=[50, 150, 275], age_days=[50, 150, 275]))
    assert fresh - stale == pytest.approx(0.6 * 14 * 100 / 225 / 50)
    assert fresh - old == pytest.approx(0.6 * 14 / 50)


def test_lib_rs_deducts_for_sys_crates_yanks_and_lost_users() -> None:
    plain, sys, yanked = score("lib_rs", crates(3, crate=["a", "a_sys", "b"], all_yanked=[False, False, True]))
    assert sys == pytest.approx(0.9 * plain)
    assert yanked == pytest.approx(0.001 * plain)
    # 2 of 2 users lost in 120 days: growth 0 removes freshness, and the factor for lost users is (0 + 10) / (2 + 10)
    gone = crates(dependents_gained_long=0.0, dependents_lost_long=0.5, versions=1)
    version = 10 / 132
    assert score("lib_rs", gone) == pytest.approx([(0.4 * version + 0.6 * 10 / 52) * 10 / 12])


def test_lib_rs_describes_its_coverage() -> None:
    live = crates(**LIVE, feature_count=0, dependents_gained_long=0.0, dependents_lost_long=0.0)
    assert BASELINES["lib_rs"].covers(live) == (
        "version, 6.5 of 17 points: features, edition, versions, owners; activity, 74 of 75 points: growth, freshness, "
        "freshness of dependencies, downloads, traction, active users, dependents; users lost over about 120 "
        "days, -sys and yanks"
    )


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_conemass_divides_every_tree_equally(parts: int) -> None:
    """a depends on b and c, b on c, d on c: c gets 1/3 + 1/2 + 1/2, b gets 1/3."""
    with duckdb.connect() as con:
        con.execute("""
            create table known_crates as select unnest([1, 2, 3, 4]) as crate_id, chr(96 + crate_id::int) as name;
            create table known_versions as
                select crate_id as id, crate_id, name, name as canonical_name, '1.0.0' as num from known_crates;
            create table default_versions as
                select crate_id, crate_id as version_id, false as all_yanked from known_crates;
            create table wanted_crates as select crate_id from known_crates;
            create table version_edges as from (values (1, 2), (2, 3), (4, 3)) as e(dependent_id, version_id);
            create table library_trees as from (values (2, 3)) as t(root, version_id);
            create table affected_versions (version_id bigint, advisory_id varchar, informational varchar);
        """)
        for part in range(parts):
            set_variables(con, parts=parts, part=part)
            con.execute(TREES.path.read_text())
        found = con.execute(
            "select crate_id, sum(conemass)::bigint from tree_dependents group by 1 order by 1"
        ).fetchall()
    thirds, halves = 10**12 // 3, 10**12 // 2
    assert found == [(2, thirds), (3, thirds + 2 * halves)]


def test_versions_are_counted_by_maturity_and_patch_number() -> None:
    """Of 0.0.7, 0.2.0, 1.0.3, 1.1.0-pre.9 and a yanked 1.0.4: two mature, one patch release, 7 the highest patch."""
    versions = [(0, 0, 7, False, False), (0, 2, 0, False, False), (1, 0, 3, False, False), (1, 1, 0, True, False)]
    rows = [
        (1, f"{major:020}{minor:020}{patch:020}", pre, yanked)
        for major, minor, patch, pre, yanked in [*versions, (1, 0, 4, False, True)]
    ]
    with duckdb.connect() as con:
        set_variables(con, known_at=pd.Timestamp("2020-05-08 23:59:59").to_pydatetime())
        con.execute("create table made (crate_id bigint, version_key varchar, is_prerelease bool, yanked bool)")
        con.executemany("insert into made values (?, ?, ?, ?)", rows)
        con.execute("""
            create table known_versions as
                select *, timestamp '2020-01-01' as created_at, created_at as created_after, true as created_at_exact
                from made
        """)
        statements = con.extract_statements(PER_CRATE.path.read_text())
        con.execute(next(s for s in statements if "temp table releases" in s.query))
        found = con.execute("select mature_versions, patch_versions, highest_patch from releases").fetchall()
    assert found == [(2, 1, 7)]
