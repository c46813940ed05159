"""What the predictor looks at: columns of `features`, each with the words that its evidence is told in."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Input:
    """One input. `{}` in `words` stands for its value; `zero` is said instead when the value is 0.

    Inputs of one `topic` say much the same, so evidence adds their effects and tells the strongest.
    """

    name: str
    topic: str
    words: str
    zero: str | None = None


INPUTS = (
    Input("versions", "releases", "versions so far: {}"),
    Input("age_days_min", "releases", "on crates.io for at least {} days"),
    Input("days_since_release_min", "releases", "last release at least {} days ago", "released on the day itself"),
    Input("days_since_release_max", "releases", "last release at most {} days ago", "released on the day itself"),
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
    Input("advisories", "advisories", "vulnerability advisories so far: {}", "no vulnerability advisory so far"),
    Input("is_unmaintained", "advisories", "an advisory calls it unmaintained", "no advisory calls it unmaintained"),
)
NAMES = [i.name for i in INPUTS]
TOPICS = list(dict.fromkeys(i.topic for i in INPUTS))


def matrix(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The inputs of each row as float64, shape (rows, inputs); NaN where not known."""
    return frame[NAMES].astype("float64")


def bounds(frame: "pd.DataFrame") -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """The least and the greatest that each input can be, in the shape of `matrix`; NaN where nothing bounds it.

    An input known by bounds (`releases_90d_min`, `releases_90d_max`) may be anything between them.
    """
    low, high = matrix(frame), matrix(frame)
    for name in NAMES:
        base, end = name[:-4], name[-4:]
        if end in ("_min", "_max") and base + "_min" in frame and base + "_max" in frame:
            low[name] = frame[base + "_min"].astype("float64")
            high[name] = frame[base + "_max"].astype("float64")
    return low, high
