"""lib.rs's ranking of libraries, as of December 2022: what the version is worth, what is going on, both weighed up.

An item counts what it counts in the whole formula: group weight × limit of the item / limits of the group. Left out of
both sums: Cargo.toml but features and edition, README, code, authors, docs.rs, Debian, and what a nightly or an
application would get instead. Users are families that build on it, a quarter ago by the change since about 120 days;
a dependency is fresh or it is not; use by the authors themselves and by the biggest single user counts like any.
"""

import numpy as np
import pandas as pd

from ml.baselines.formula import Baseline, Part, in_words, is_known, owners, ratio, totals, yes

TOML, VERSIONS, OWNERS = 2 / 229, 5 / 140, 3 / 12  # weight of a group over the sum of its limits
VERSION_POINTS, TEMPORAL_POINTS = 17, 75
TROUBLED = 1e-3  # what is left of the score if every version is yanked


def _upto(value: pd.Series, limit: float) -> pd.Series:
    return value.clip(0, limit) / limit


def _span_days(f: pd.DataFrame) -> pd.Series:
    return f["age_days_min"] - f["days_since_release_min"]


def _newest_year(f: pd.DataFrame) -> pd.Series:
    return (pd.to_datetime(f["as_of"]) - pd.to_timedelta(f["days_since_release_min"], unit="D")).dt.year


VERSION_PARTS = (
    Part("features", 4 * TOML, ("feature_count",), lambda f: yes(f["feature_count"] > 0)),
    Part(
        "edition",
        5 * TOML,
        ("edition",),
        lambda f: f["edition"].clip(2015, 2021).map({2015: 0, 2018: 0.8, 2021: 1}),
    ),
    Part("versions", 20 * VERSIONS, ("versions",), lambda f: yes(f["versions"] - f["yanked_versions"] > 1)),
    Part("versions", 40 * VERSIONS, ("age_days_min",), lambda f: _upto(_span_days(f) // 11, 40)),
    Part("versions", 10 * VERSIONS, ("days_since_release_min",), lambda f: yes(_newest_year(f) > 2016)),
    Part("versions", 15 * VERSIONS, ("mature_versions",), lambda f: _upto(f["mature_versions"], 15)),
    Part("versions", 20 * VERSIONS, ("patch_versions",), lambda f: _upto(4 * f["patch_versions"], 20)),
    Part("versions", 10 * VERSIONS, ("highest_patch",), lambda f: _upto(f["highest_patch"], 10)),
    Part("versions", 5 * VERSIONS, ("prerelease_versions",), lambda f: yes(f["prerelease_versions"] > 0)),
    Part("versions", 10 * VERSIONS, ("major",), lambda f: yes(f["major"].between(1, 19))),
    Part("versions", 2 * VERSIONS, ("yanked_versions",), lambda f: yes(f["yanked_versions"] > 0)),
    Part("owners", 3 * OWNERS, ("owners_min",), lambda f: yes(owners(f) > 1)),
    Part("owners", 4 * OWNERS, ("owners_min",), lambda f: _upto(owners(f), 4)),
)


def _change(f: pd.DataFrame) -> pd.Series:
    """Users gained, less those lost, in 30 days; NaN where not known."""
    return f["dependents_gained_long"] - f["dependents_lost_long"]


def _growth(f: pd.DataFrame) -> pd.Series:
    """Users now over users a quarter ago; 1 if unknown or none then and now."""
    now = f["dependents_independent"].astype(float)
    before = now - 3 * _change(f)
    return (now / before).where(before >= 1, now.clip(lower=1)).where(before.notna(), 1.0)


def _freshness(f: pd.DataFrame) -> pd.Series:
    """1 until the next release was due, then down to 0 within a year; the maturer the version, the later it is due."""
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
    return yes((f["dependents_active_min"] > 1) | (f["downloads_30d"].fillna(0) * _freshness(f) > 1000))


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
    """Points that are there to get for those only who get them."""
    active = np.sqrt(_active(f))
    bonus = ((active - 8).clip(upper=10) + np.log2(active.clip(lower=8)) - 3).where(active > 8, 0.0)
    bonus = bonus + ((np.sqrt(_direct(f)) - 20) / 2).clip(0, 20)
    if is_known(f, "downloads_30d"):
        bonus = bonus + ((_cleaned(f) - 1e6) / 5e5).clip(0, 10).fillna(0)
    return bonus.to_numpy()


def _factor(f: pd.DataFrame) -> np.ndarray:
    """Former glory, as far back as about 120 days, times what is taken off of `-sys` crates and of yanked ones."""
    now = f["dependents_independent"]
    peak = np.maximum(now, now - 4 * _change(f).fillna(0))
    glory = (now + 10) / (peak + 10)
    is_sys = f["crate"].str.endswith("_sys")
    return (glory * np.where(is_sys, 0.9, 1) * np.where(f["all_yanked"], TROUBLED, 1)).to_numpy()


def score(f: pd.DataFrame) -> np.ndarray:
    """0 to 1, higher for better; shape (rows,)."""
    version = ratio(*totals(f, VERSION_PARTS))
    granted, available = totals(f, TEMPORAL_PARTS)
    bonus = _bonus(f)
    temporal = ratio(granted + bonus, available + bonus)
    return (0.4 * version + 0.5 * temporal + 0.1 * np.maximum(version, temporal)) * _factor(f)


def covers(f: pd.DataFrame) -> str:
    version, temporal = in_words(f, VERSION_PARTS, VERSION_POINTS), in_words(f, TEMPORAL_PARTS, TEMPORAL_POINTS)
    return f"version, {version}; now, {temporal}; former glory of about 120 days, -sys and yanks"


LIB_RS = Baseline("lib_rs", score, covers)
