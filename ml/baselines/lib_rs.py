"""lib.rs's ranking of libraries, as of December 2022: a score of the version and one of recent activity, weighted.

An item has its weight in the whole formula: group weight × limit of the item / sum of the group's limits. Excluded:
Cargo.toml except features and edition, README, code, authors, docs.rs, Debian, and the rules for nightly crates and
applications. Users are dependent families; their number a quarter ago is extrapolated from the change over about 120
days. A dependency is either fresh or not. Use by the authors themselves or by one large user is not discounted.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline, Part, coverage, flag, is_known, owners, ratio, totals

TOML, VERSIONS, OWNERS = 2 / 229, 5 / 140, 3 / 12  # weight of a group over the sum of its limits
VERSION_POINTS, TEMPORAL_POINTS = 17, 75
ALL_YANKED_FACTOR = 1e-3  # of the score if every version is yanked


def _upto(value: pd.Series, limit: float) -> pd.Series:
    return value.clip(0, limit) / limit


def _span_days(f: pd.DataFrame) -> pd.Series:
    return f["age_days_min"] - f["days_since_release_min"]


def _newest_year(f: pd.DataFrame) -> pd.Series:
    return (pd.to_datetime(f["as_of"]) - pd.to_timedelta(f["days_since_release_min"], unit="D")).dt.year


VERSION_PARTS = (
    Part("features", 4 * TOML, ("feature_count",), lambda f: flag(f["feature_count"] > 0)),
    Part(
        "edition",
        5 * TOML,
        ("edition",),
        lambda f: f["edition"].clip(2015, 2021).map({2015: 0, 2018: 0.8, 2021: 1}),
    ),
    Part("versions", 20 * VERSIONS, ("versions",), lambda f: flag(f["versions"] - f["yanked_versions"] > 1)),
    Part("versions", 40 * VERSIONS, ("age_days_min",), lambda f: _upto(_span_days(f) // 11, 40)),
    Part("versions", 10 * VERSIONS, ("days_since_release_min",), lambda f: flag(_newest_year(f) > 2016)),
    Part("versions", 15 * VERSIONS, ("mature_versions",), lambda f: _upto(f["mature_versions"], 15)),
    Part("versions", 20 * VERSIONS, ("patch_versions",), lambda f: _upto(4 * f["patch_versions"], 20)),
    Part("versions", 10 * VERSIONS, ("highest_patch",), lambda f: _upto(f["highest_patch"], 10)),
    Part("versions", 5 * VERSIONS, ("prerelease_versions",), lambda f: flag(f["prerelease_versions"] > 0)),
    Part("versions", 10 * VERSIONS, ("major",), lambda f: flag(f["major"].between(1, 19))),
    Part("versions", 2 * VERSIONS, ("yanked_versions",), lambda f: flag(f["yanked_versions"] > 0)),
    Part("owners", 3 * OWNERS, ("owners_min",), lambda f: flag(owners(f) > 1)),
    Part("owners", 4 * OWNERS, ("owners_min",), lambda f: _upto(owners(f), 4)),
)


def _change(f: pd.DataFrame) -> pd.Series:
    """Users gained minus users lost in 30 days; NaN where not known."""
    return f["dependents_gained_long"] - f["dependents_lost_long"]


def _growth(f: pd.DataFrame) -> pd.Series:
    """Users now divided by users a quarter ago; 1 if unknown, or if there were none both times."""
    now = f["dependents_independent"].astype(float)
    before = now - 3 * _change(f)
    return (now / before).where(before >= 1, now.clip(lower=1)).where(before.notna(), 1.0)


def _freshness(f: pd.DataFrame) -> pd.Series:
    """1 until the next release is due, then falling to 0 within a year. Mature versions have a later due date."""
    major, minor, patch = f["major"], f["minor"], f["patch"]
    rules = [(patch > 3) & (major > 0), patch > 3, patch > 0, major > 0, minor > 3]
    interval = np.minimum(np.select(rules, [700, 450, 300, 200, 140], 80), 50 * f["versions"])
    decay = interval / 2 + 200
    past = (f["days_since_release_min"] - interval).clip(lower=0)
    return (_growth(f) * (decay - past).clip(lower=0) / decay).clip(upper=1)


def _active(f: pd.DataFrame) -> pd.Series:
    return _growth(f).clip(upper=1.2) * f["dependents_active_min"]


def _cleaned(f: pd.DataFrame) -> pd.Series:
    return 50 + (f["downloads_30d"] / 2 - 50).clip(lower=0)


def _direct(f: pd.DataFrame) -> pd.Series:
    return f["dependents"] + f["dependents_dev"]


def _traction(f: pd.DataFrame) -> pd.Series:
    return flag((f["dependents_active_min"] > 1) | (f["downloads_30d"].fillna(0) * _freshness(f) > 1000))


TEMPORAL_PARTS = (
    Part("growth", 2, ("dependents_gained_long", "dependents_lost_long"), lambda f: (_growth(f) - 1).clip(0, 1)),
    Part("freshness", 14, ("days_since_release_min",), _freshness),
    Part("freshness of dependencies", 10, ("dependencies_outdated",), lambda f: 0.2 ** f["dependencies_outdated"]),
    Part("downloads", 5, ("downloads_30d",), lambda f: _upto((np.log2(f["downloads_30d"].clip(lower=150)) - 6) / 6, 5)),
    Part("downloads", 17, ("downloads_30d",), lambda f: _upto(np.log2(_cleaned(f)) - 5, 17)),
    Part("traction", 2, ("dependents_active_min",), _traction),
    Part("active users", 8, ("dependents_active_min",), lambda f: _upto(np.sqrt(_active(f)), 8)),
    Part("dependents", 10, ("dependents",), lambda f: _upto(np.sqrt(_direct(f)), 10)),
    Part("dependents", 6, ("transitive_dependents",), lambda f: _upto(np.log2(1 + f["transitive_dependents"] / 4), 6)),
)


def _bonus(f: pd.DataFrame) -> np.ndarray:
    """Bonus points: available only to the crates that get them."""
    active = np.sqrt(_active(f))
    bonus = ((active - 8).clip(upper=10) + np.log2(active.clip(lower=8)) - 3).where(active > 8, 0.0)
    bonus = bonus + ((np.sqrt(_direct(f)) - 20) / 2).clip(0, 20)
    if is_known(f, "downloads_30d"):
        bonus = bonus + ((_cleaned(f) - 1e6) / 5e5).clip(0, 10).fillna(0)
    return bonus.to_numpy()


def _factor(f: pd.DataFrame) -> np.ndarray:
    """The factor for lost users (over about 120 days), times those for `-sys` crates and for yanked ones."""
    now = f["dependents_independent"]
    peak = np.maximum(now, now - 4 * _change(f).fillna(0))
    retained = (now + 10) / (peak + 10)
    is_sys = f["crate"].str.endswith("_sys")
    return (retained * np.where(is_sys, 0.9, 1) * np.where(f["all_yanked"], ALL_YANKED_FACTOR, 1)).to_numpy()


def score(f: pd.DataFrame) -> np.ndarray:
    """0 to 1, higher for better, shape (rows,)."""
    version = ratio(*totals(f, VERSION_PARTS))
    granted, available = totals(f, TEMPORAL_PARTS)
    bonus = _bonus(f)
    temporal = ratio(granted + bonus, available + bonus)
    return (0.4 * version + 0.5 * temporal + 0.1 * np.maximum(version, temporal)) * _factor(f)


def covers(f: pd.DataFrame) -> str:
    """The share of the formula's points that the columns of `f` can give."""
    version, temporal = coverage(f, VERSION_PARTS, VERSION_POINTS), coverage(f, TEMPORAL_PARTS, TEMPORAL_POINTS)
    return f"version, {version}; activity, {temporal}; users lost over about 120 days, -sys and yanks"


LIB_RS = Baseline(
    "lib_rs",
    "lib.rs's ranking of libraries, as of December 2022: a score of the version and one of recent activity, weighted.",
    score,
    covers,
)
