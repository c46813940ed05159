"""What the predictors look at: columns of `features`, each with the words that its evidence is told in.

Description, unit and type of each column stand once, in the schema of `features` (`assets/schemas/features.py`).
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Input:
    """One input. `{}` in `words` stands for its value and `{date}` for the date that many days before the as-of date;
    `zero` is said instead when the value is 0.

    Inputs of one `topic` say much the same, so evidence adds their effects and tells the strongest.
    """

    name: str
    topic: str
    words: str
    zero: str | None = None


INPUTS = (
    Input("versions", "releases", "versions so far: {}"),
    Input("age_days_min", "releases", "on crates.io since {date} at the latest"),
    Input(
        "days_since_release_min",
        "releases",
        "no release since {date}, for {} days",
        "released on the day itself",
    ),
    Input(
        "days_since_release_max",
        "releases",
        "last release not before {date}, {} days ago",
        "released on the day itself",
    ),
    Input("releases_30d_min", "releases", "releases in the last 30 days: {}", "no sure release in the last 30 days"),
    Input("releases_30d_max", "releases", "releases in the last 30 days: {} at most", "no release in the last 30 days"),
    Input("releases_90d_min", "releases", "releases in the last 90 days: {}", "no sure release in the last 90 days"),
    Input("releases_90d_max", "releases", "releases in the last 90 days: {} at most", "no release in the last 90 days"),
    Input("releases_180d_max", "releases", "releases in half a year: {} at most", "no release in half a year"),
    Input("releases_365d_min", "releases", "releases in the last year: {}", "no sure release in the last year"),
    Input("releases_365d_max", "releases", "releases in the last year: {} at most", "no release in the last year"),
    Input("releases_730d_max", "releases", "releases in two years: {} at most", "no release in two years"),
    Input("release_interval_days", "releases", "usual time between releases: {} days"),
    Input("yanked_versions", "yanks", "yanked versions: {}", "no version stands yanked"),
    Input("minor", "version", "minor version {}"),
    Input("patch", "version", "patch version {}", "no patch release of this minor version"),
    Input("is_prerelease", "version", "its default version is a pre-release", "its default version is a release"),
    Input("prerelease_versions", "version", "pre-releases so far: {}", "no pre-release so far"),
    Input("feature_count", "version", "Cargo features: {}", "no Cargo features"),
    Input("dependencies_normal", "dependencies", "crates it builds with: {}", "builds with no other crate"),
    Input("dependencies_optional", "dependencies", "optional dependencies: {}", "no optional dependency"),
    Input("dependencies_dev", "dependencies", "crates its tests use: {}", "its tests use no other crate"),
    Input("requirements_wildcard", "dependencies", "wildcard requirements: {}", "no wildcard requirement"),
    Input("requirements_exact", "dependencies", "requirements for one exact version: {}", "no exact requirement"),
    Input("dependencies_outdated", "dependencies", "outdated dependencies: {}", "no outdated dependency"),
    Input("dependencies_unresolved", "dependencies", "dependencies that no version left matches: {}", "all resolve"),
    Input("transitive_dependencies", "dependencies", "crates in its build: {}", "no crate in its build but itself"),
    Input("dependents_dev", "dependents", "crates whose tests use it: {}", "no crate's tests use it"),
    Input(
        "dependents_independent", "dependents", "other projects that build on it: {}", "no other project builds on it"
    ),
    Input("dependents_outdated", "dependents", "dependents that hold back: {}", "no dependent holds back"),
    Input(
        "dependents_active_min", "dependents", "dependents released lately: {}", "no dependent surely released lately"
    ),
    Input("pagerank", "dependents", "{} times the average crate's place in the dependency graph"),
    Input("dependents_gained_recent", "dependents", "projects gained a month lately: {}", "no project gained lately"),
    Input("dependents_lost_recent", "dependents", "projects lost a month lately: {}", "no project lost lately"),
    Input(
        "dependents_gained_long", "dependents", "projects gained a month for months: {}", "no project gained for months"
    ),
    Input("dependents_lost_long", "dependents", "projects lost a month for months: {}", "no project lost for months"),
    # null where the source does not have them: a model learns from what was known when it was trained
    Input("owners_min", "owners", "users that own it: {} at least", "no user surely owns it"),
    Input("downloads_30d", "downloads", "downloads in 30 days: {}", "no download in 30 days"),
    Input(
        "downloads_previous_30d",
        "downloads",
        "downloads in the 30 days before: {}",
        "no download in the 30 days before",
    ),
    Input("crate_size", "version", "size of its file: {} bytes"),
    Input("edition", "version", "Rust edition {}"),
    Input("advisories", "advisories", "vulnerability advisories so far: {}", "no vulnerability advisory so far"),
    Input("is_unmaintained", "advisories", "an advisory calls it unmaintained", "no advisory calls it unmaintained"),
)
NAMES = [i.name for i in INPUTS]
SCHEMA_SHA256 = hashlib.sha256(" ".join(NAMES).encode()).hexdigest()[:16]
# an input known by bounds: the columns that tell the least and the greatest that it can be
BOUNDED = {
    "age_days_min": ("age_days_min", "age_days_max"),
    "days_since_release_min": ("days_since_release_min", "days_since_release_max"),
    "days_since_release_max": ("days_since_release_min", "days_since_release_max"),
    **{
        f"releases_{days}d_{end}": (f"releases_{days}d_min", f"releases_{days}d_max")
        for days in (30, 90, 180, 365, 730)
        for end in ("min", "max")
    },
}


def matrix(frame: pd.DataFrame, names: list[str]) -> np.ndarray:
    """These columns of each row as float64, shape (rows, names); NaN where not known."""
    return frame[names].to_numpy(dtype="float64", na_value=np.nan)


@dataclass(frozen=True)
class Values:
    """What is known of each input of each row, three arrays of shape (rows, inputs): its value, and the least and the
    greatest that it can be. NaN where it is missing, or where nothing bounds it.

    An input known by bounds (`releases_90d_min`, `releases_90d_max`) may be anything between them.
    """

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def take(self, names: list[str]) -> "Values":
        """Of these inputs alone, in this order."""
        chosen = [_POSITION[name] for name in names]
        return Values(self.x[:, chosen], self.low[:, chosen], self.high[:, chosen])


def values_of(frame: pd.DataFrame) -> Values:
    """The inputs of a frame of features: every model looks at some of them."""
    columns = matrix(frame, COLUMNS)
    return Values(columns[:, _AT[0]], columns[:, _AT[1]], columns[:, _AT[2]])


def known_inputs(training: pd.DataFrame, names: list[str]) -> list[str]:
    """Those of `names` that a model can learn from: known in a hundredth of the rows, and not the same in all."""
    x = training[names]
    enough = (x.notna().mean() > 0.01) & (x.nunique() > 1)
    return [name for name in names if enough[name]]


_POSITION = {name: i for i, name in enumerate(NAMES)}
_ENDS = [BOUNDED.get(name, (name, name)) for name in NAMES]
COLUMNS = list(dict.fromkeys([*NAMES, *(end for ends in _ENDS for end in ends)]))
_AT = [
    [COLUMNS.index(name) for name in names]
    for names in (NAMES, [ends[0] for ends in _ENDS], [ends[1] for ends in _ENDS])
]
