"""Features of each crate at an as-of date, and labels: what happened to it afterwards."""

from dataclasses import replace

from assets.schemas.registry import MIN_SHARE
from ml.targets import TARGETS
from resources.warehouse.schema import Column, Table


def _count(name: str, description: str) -> Column:
    return Column(name, "int64", description)


def _days(name: str, description: str, nullable: bool = False) -> Column:
    return Column(name, "double", description, nullable=nullable, unit="days")


FEATURES = Table(
    name="features",
    grain="One row per crate known at the as-of date, only from facts known at the end of the day before it (UTC).",
    partition="as_of",
    columns=(
        Column("as_of", "date", "As-of date: nothing later than 23:59:59 UTC of the day before is used"),
        Column("crate", "string", "Canonical name"),
        Column("name", "string", "Name as published"),
        Column("family", "string", "First word of the name: groups the crates of one project"),
        Column("default_version", "string", "Version that crates.io would show"),
        # release history; with inexact dates, _min counts what is certainly in the window and _max what may be
        _count("versions", "Versions published"),
        _days("age_days_min", "Minimum age of the first version"),
        _days("age_days_max", "Maximum age of the first version", nullable=True),
        _days("days_since_release_min", "Minimum time since the last version"),
        _days("days_since_release_max", "Maximum time since the last version", nullable=True),
        _count("releases_30d_min", "Versions certainly published in the last 30 days"),
        _count("releases_30d_max", "Versions possibly published in the last 30 days"),
        _count("releases_90d_min", "Versions certainly published in the last 90 days"),
        _count("releases_90d_max", "Versions possibly published in the last 90 days"),
        _count("releases_180d_min", "Versions certainly published in the last 180 days"),
        _count("releases_180d_max", "Versions possibly published in the last 180 days"),
        _count("releases_365d_min", "Versions certainly published in the last 365 days"),
        _count("releases_365d_max", "Versions possibly published in the last 365 days"),
        _count("releases_730d_min", "Versions certainly published in the last 730 days"),
        _count("releases_730d_max", "Versions possibly published in the last 730 days"),
        _days(
            "release_interval_days",
            "Median time between versions with an exact date, if there are at least 3",
            nullable=True,
        ),
        Column("exact_share", "double", "Share of versions whose date is exact", unit="0 to 1"),
        # yanks
        _count("yanked_versions", "Versions that are yanked"),
        Column("all_yanked", "bool", "Whether every version is yanked"),
        _count("yanks", "Yanks so far, undone or not"),
        _count("yanks_90d_min", "Yanks certainly in the last 90 days"),
        _count("yanks_90d_max", "Yanks possibly in the last 90 days"),
        # version shape
        Column("major", "uint64", "Major number of the default version"),
        Column("minor", "uint64", "Minor number of the default version"),
        Column("patch", "uint64", "Patch number of the default version"),
        Column("is_prerelease", "bool", "Whether the default version is a pre-release"),
        _count("prerelease_versions", "Pre-releases published"),
        _count("mature_versions", "Versions from 0.1.0 on that are neither pre-releases nor yanked"),
        _count("patch_versions", "Versions from 1.0.0 on with a patch number over 0 that are not yanked"),
        Column("highest_patch", "uint64", "Highest patch number of a version that is not yanked; 0 if all are"),
        Column("feature_count", "int64", "Cargo features of the default version", nullable=True),
        Column("has_links", "bool", "Whether it links a native library"),
        Column("crate_size", "int64", "Size of the default version's .crate file", nullable=True, unit="bytes"),
        Column("edition", "int32", "Rust edition of the default version", nullable=True, unit="year"),
        # owners and downloads: null where the source lacks the facts
        Column(
            "owners_min",
            "int64",
            "Users that certainly owned it; the source does not list removed owners",
            nullable=True,
        ),
        Column("owner_teams_min", "int64", "Teams that certainly owned it", nullable=True),
        Column(
            "downloads_30d",
            "double",
            "Downloads of the last 30 days, extrapolated over masked and missing days; null if fewer than 20 are known",
            nullable=True,
        ),
        Column(
            "downloads_previous_30d",
            "double",
            "Downloads of the 30 days before; null also if crates.io counted them by another method",
            nullable=True,
        ),
        # dependencies
        _count("dependencies_normal", "Crates in its required normal dependencies"),
        _count("dependencies_optional", "Crates in its optional dependencies"),
        _count("dependencies_dev", "Crates in its dev-dependencies"),
        _count("dependencies_build", "Crates in its build-dependencies"),
        _count("requirements_wildcard", "Requirements that allow any version (*)"),
        _count("requirements_unbounded", "Requirements without an upper bound (>=1.2)"),
        _count("requirements_exact", "Requirements that allow one version (=1.2.3)"),
        _count("requirements_unreadable", "Requirements that Cargo's rules do not accept"),
        _count("dependencies_outdated", "Dependencies whose newest release its requirement excludes"),
        _count("dependencies_unresolved", "Dependencies without a matching version that is not yanked"),
        _count(
            "transitive_dependencies",
            "Crates in its build: direct and transitive dependencies as resolved, without optional ones",
        ),
        Column(
            "build",
            "list<string>",
            "The resolved versions of its build as crate@version, sorted; a crate can occur in two versions",
        ),
        # dependents
        _count("dependents", "Crates whose default version depends on it (normal or build)"),
        _count("dependents_dev", "Crates with only a dev-dependency on it"),
        _count("dependents_independent", "Families of its dependents, other than its own"),
        _count("dependents_outdated", "Dependents whose requirement (normal or build) excludes its newest release"),
        _count("dependents_active_min", "Dependents that certainly had a release in the last 180 days"),
        _count("transitive_dependents", "Crates that have it in their build, without optional dependencies"),
        Column("pagerank", "double", "PageRank in the graph of dependents (damping 0.85)", unit="average crate = 1"),
        Column(
            "conemass",
            "double",
            "Sum over the crates that have it in their build of 1 / (1 + crates in that build)",
            unit="builds with no other crate",
        ),
        Column(
            "dependents_gained_recent",
            "double",
            "Other families with a crate that started to depend on it in about the last 30 days",
            nullable=True,
            unit="families per 30 days",
        ),
        Column(
            "dependents_lost_recent",
            "double",
            "Other families with a crate that stopped depending on it in about the last 30 days",
            nullable=True,
            unit="families per 30 days",
        ),
        Column(
            "dependents_gained_long",
            "double",
            "Other families with a crate that started to depend on it in about the last 120 days",
            nullable=True,
            unit="families per 30 days",
        ),
        Column(
            "dependents_lost_long",
            "double",
            "Other families with a crate that stopped depending on it in about the last 120 days",
            nullable=True,
            unit="families per 30 days",
        ),
        # advisories
        _count("advisories", "Vulnerability advisories so far"),
        _count("advisories_365d", "Vulnerability advisories that became known in the last 365 days"),
        _count("advisories_unsound", "Advisories on unsound code so far"),
        Column("is_unmaintained", "bool", "Whether an advisory reports its default version as unmaintained"),
        Column(
            "is_vulnerable",
            "bool",
            "Whether a known vulnerability affects its default version, by the latest revision of its advisory",
        ),
        _count("tree_vulnerable", "Crates in its build with a vulnerable version"),
        _count("tree_unmaintained", "Crates in its build that an advisory reports as unmaintained"),
        Column("tree_vulnerable_names", "list<string>", "Names of the crates counted in tree_vulnerable"),
        Column("tree_unmaintained_names", "list<string>", "Names of the crates counted in tree_unmaintained"),
    ),
    key=("crate",),
    min_share_of_previous=MIN_SHARE,
)

FRESH_FEATURES = replace(
    FEATURES,
    name="fresh_features",
    grain="One row per crate with an event, or with such a crate in its build: features as of the newest event.",
    partition="version",
    columns=(
        *FEATURES.columns,
        Column("refreshed_at", "timestamp", "Time at which the newest event was seen (UTC): nothing later is used"),
    ),
    min_share_of_previous=None,
)

LABELS = Table(
    name="labels",
    grain="One row per crate, target and horizon: whether the outcome happened by the end of the horizon.",
    partition="as_of",
    columns=(
        Column("as_of", "date", "As-of date"),
        Column("crate", "string", "Canonical name"),
        Column("family", "string", "First word of the name"),
        Column("target", "string", "What is predicted", accepted=tuple(t.name for t in TARGETS)),
        Column("horizon_days", "int32", "Length of the horizon", unit="days"),
        Column("label", "bool", "Whether the outcome happened; null while not known (censored)", nullable=True),
        Column("known_at", "timestamp", "Instant (UTC) from which the label can be known: the end of the horizon"),
        Column(
            "censored",
            "string",
            "Why the label is null: the horizon has not passed, or the source does not know exactly what existed then",
            nullable=True,
            accepted=("not yet", "inexact dates"),
        ),
    ),
    key=("crate", "target", "horizon_days"),
)
