"""The inputs of the models: columns of `features`, each with the words that describe its value in evidence.

The description, unit and type of each column are in the schema of `features` (`assets/schemas/features.py`).
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Input:
    """One input of the models, and how evidence describes its value.

    `subject` names the quantity in a noun phrase. `words` is the sentence about a value, by default "<Subject>: {}";
    `zero` replaces it where the value is 0. `{}` is the value with thousands separators, or the range of an inexact
    value; `{plain}` is the value without separators.

    Inputs of one `topic` measure nearly the same thing: evidence adds their effects and shows the strongest input.
    """

    name: str
    topic: str
    subject: str
    words: str = ""
    zero: str | None = None


INPUTS = (
    Input("versions", "releases", "versions published"),
    Input("age_days_min", "releases", "time since the first version", "On crates.io for {} days"),
    *(
        Input(
            f"days_since_release_{end}",
            "releases",
            "time since the last release",
            "No release for {} days",
            "Released on the as-of date",
        )
        for end in ("min", "max")
    ),
    *(
        Input(
            f"releases_{days}d_{end}",
            "releases",
            f"releases in the last {days} days",
            zero=f"No release in the last {days} days",
        )
        for days, ends in ((30, ("min", "max")), (90, ("min", "max")), (180, ("max",)), (365, ("min", "max")))
        for end in ends
    ),
    Input("releases_730d_max", "releases", "releases in the last 730 days", zero="No release in the last 730 days"),
    Input(
        "release_interval_days",
        "releases",
        "usual time between releases",
        "Usual time between releases: {} days",
    ),
    Input("yanked_versions", "yanks", "yanked versions", zero="No yanked versions"),
    Input("minor", "version", "minor version number", "Minor version number: {plain}"),
    Input(
        "patch",
        "version",
        "patch version number",
        "Patch version number: {plain}",
        "No patch release of the current minor version",
    ),
    Input(
        "is_prerelease",
        "version",
        "whether its default version is a pre-release",
        "Its default version is a pre-release",
        "Its default version is a release",
    ),
    Input("prerelease_versions", "version", "pre-releases published", zero="No pre-releases"),
    Input("feature_count", "version", "Cargo features", zero="No Cargo features"),
    Input("dependencies_normal", "dependencies", "direct dependencies", zero="No direct dependencies"),
    Input("dependencies_optional", "dependencies", "optional dependencies", zero="No optional dependencies"),
    Input("dependencies_dev", "dependencies", "dev-dependencies", zero="No dev-dependencies"),
    Input("requirements_wildcard", "dependencies", "wildcard requirements (*)", zero="No wildcard requirements"),
    Input("requirements_exact", "dependencies", "exact requirements (=1.2.3)", zero="No exact requirements"),
    Input("dependencies_outdated", "dependencies", "outdated dependencies", zero="No outdated dependencies"),
    Input(
        "dependencies_unresolved",
        "dependencies",
        "dependencies without a matching version",
        zero="Every dependency has a matching version",
    ),
    Input("transitive_dependencies", "dependencies", "other crates in its build", zero="No other crates in its build"),
    Input(
        "dependents_dev",
        "dependents",
        "crates with only a dev-dependency on it",
        zero="No crate has only a dev-dependency on it",
    ),
    Input(
        "dependents_independent",
        "dependents",
        "other projects that depend on it",
        zero="No other project depends on it",
    ),
    Input(
        "dependents_outdated",
        "dependents",
        "dependents that exclude its newest release",
        zero="No dependent excludes its newest release",
    ),
    Input(
        "dependents_active_min",
        "dependents",
        "dependents released in the last 180 days",
        "Dependents released in the last 180 days: at least {}",
        "No dependent is known to have been released in the last 180 days",
    ),
    Input(
        "pagerank",
        "dependents",
        "importance in the dependency graph",
        "Importance in the dependency graph: {} times the average crate's",
    ),
    Input(
        "dependents_gained_recent",
        "dependents",
        "projects that adopted it recently",
        "Projects that adopted it recently: {} per month",
        "No project adopted it recently",
    ),
    Input(
        "dependents_lost_recent",
        "dependents",
        "projects that dropped it recently",
        "Projects that dropped it recently: {} per month",
        "No project dropped it recently",
    ),
    Input(
        "dependents_gained_long",
        "dependents",
        "projects that adopted it over several months",
        "Projects that adopted it over several months: {} per month",
        "No project adopted it for several months",
    ),
    Input(
        "dependents_lost_long",
        "dependents",
        "projects that dropped it over several months",
        "Projects that dropped it over several months: {} per month",
        "No project dropped it for several months",
    ),
    # null where the source lacks them; a model uses only inputs that were known when it was trained
    Input("owners_min", "owners", "users that own it", "Users that own it: at least {}", "No known user owns it"),
    Input("downloads_30d", "downloads", "downloads in the last 30 days", zero="No downloads in the last 30 days"),
    Input("downloads_previous_30d", "downloads", "downloads 31 to 60 days ago", zero="No downloads 31 to 60 days ago"),
    Input("crate_size", "version", "size of its .crate file", "Size of its .crate file: {} bytes"),
    Input("edition", "version", "Rust edition", "Rust edition: {plain}"),
    Input(
        "advisories",
        "advisories",
        "vulnerability advisories so far",
        zero="No vulnerability advisory so far",
    ),
    Input(
        "is_unmaintained",
        "advisories",
        "whether an advisory reports it as unmaintained",
        "An advisory reports it as unmaintained",
        "No advisory reports it as unmaintained",
    ),
)
NAMES = [i.name for i in INPUTS]
SCHEMA_SHA256 = hashlib.sha256(" ".join(NAMES).encode()).hexdigest()[:16]
# inputs known by bounds: the columns of the lower and the upper bound
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
    """These columns as float64, shape (rows, names); NaN where a value is missing."""
    return frame[names].to_numpy(dtype="float64", na_value=np.nan)


@dataclass(frozen=True)
class Values:
    """The inputs of each row, three arrays of shape (rows, inputs): the value, and its lower and upper bound.

    NaN where a value is missing or has no bound. An inexact input (`releases_90d_min`, `releases_90d_max`) can have any
    value between its bounds.
    """

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def take(self, names: list[str]) -> "Values":
        """Only these inputs, in this order."""
        chosen = [_POSITION[name] for name in names]
        return Values(self.x[:, chosen], self.low[:, chosen], self.high[:, chosen])


def wording() -> pd.DataFrame:
    """How evidence describes each input, for `assets/sql/predictions.sql`: feature, subject, words and zero."""
    rows = [(i.name, i.subject, i.words or f"{i.subject[0].upper()}{i.subject[1:]}: {{}}", i.zero) for i in INPUTS]
    return pd.DataFrame(rows, columns=["feature", "subject", "words", "zero"])


def values_of(frame: pd.DataFrame) -> Values:
    """All inputs of a frame of features; each model uses some of them."""
    columns = matrix(frame, COLUMNS)
    return Values(columns[:, _AT[0]], columns[:, _AT[1]], columns[:, _AT[2]])


def known_inputs(training: pd.DataFrame, names: list[str]) -> list[str]:
    """The inputs among `names` that a model can use: known in more than 1% of the rows and not constant."""
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
