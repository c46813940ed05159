"""What was known of each crate at an as-of date, and what happened to it afterwards."""

from dataclasses import replace

from assets.schemas.registry import GROWS
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
        Column("family", "string", "First word of the name: ties the crates of one project"),
        Column("default_version", "string", "Version that crates.io would show"),
        # release history: _min certainly fell in the window, _max may have, where dates are inexact
        _count("versions", "Versions published"),
        _days("age_days_min", "Least age of the first version"),
        _days("age_days_max", "Greatest age of the first version", nullable=True),
        _days("days_since_release_min", "Least time since the last version"),
        _days("days_since_release_max", "Greatest time since the last version", nullable=True),
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
        _days("release_interval_days", "Median time between versions of exact date, if there are 3", nullable=True),
        Column("exact_share", "double", "Share of versions whose date is exact", unit="0 to 1"),
        # yanks
        _count("yanked_versions", "Versions that stand yanked"),
        Column("all_yanked", "bool", "Whether every version stands yanked"),
        _count("yanks", "Yanks ever, undone or not"),
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
        # who stands behind it and who takes it: null where the source has no such facts
        Column(
            "owners_min", "int64", "Users that certainly owned it: who was removed since is forgotten", nullable=True
        ),
        Column("owner_teams_min", "int64", "Teams that certainly owned it", nullable=True),
        Column(
            "downloads_30d",
            "double",
            "Downloads of the last 30 days, known breaks left out and made up for; null if fewer than 20 are known",
            nullable=True,
        ),
        Column(
            "downloads_previous_30d",
            "double",
            "The same of the 30 days before; null too if crates.io counted them in another way",
            nullable=True,
        ),
        # what it depends on
        _count("dependencies_normal", "Crates it always builds with"),
        _count("dependencies_optional", "Crates a feature may add"),
        _count("dependencies_dev", "Crates its tests, examples and benchmarks use"),
        _count("dependencies_build", "Crates its build script uses"),
        _count("requirements_wildcard", "Requirements that take any version (*)"),
        _count("requirements_unbounded", "Requirements without an upper end (>=1.2)"),
        _count("requirements_exact", "Requirements for one version only (=1.2.3)"),
        _count("requirements_unreadable", "Requirements that are none by Cargo's rules"),
        _count("dependencies_outdated", "Dependencies whose newest release its requirement shuts out"),
        _count("dependencies_unresolved", "Dependencies of which only yanked versions match, or none"),
        _count(
            "transitive_dependencies",
            "Crates that a build pulls in, near and far, at the versions that resolve; optional ones left out",
        ),
        Column("build", "list<string>", "What those resolve to, as crate@version in order; one crate may stand twice"),
        # who depends on it
        _count("dependents", "Crates whose default version builds with it"),
        _count("dependents_dev", "Crates that use it in tests only"),
        _count("dependents_independent", "Families other than its own among its dependents"),
        _count("dependents_outdated", "Dependents whose requirement (tests aside) shuts out its newest release"),
        _count("dependents_active_min", "Dependents that certainly released in the last 180 days"),
        _count("transitive_dependents", "Crates whose build pulls it in, near and far; optional dependencies left out"),
        Column("pagerank", "double", "PageRank in the graph of dependents (damping 0.85)", unit="average crate = 1"),
        Column(
            "conemass",
            "double",
            "Sum over the crates whose build pulls it in of 1 / (1 + crates in that build)",
            unit="builds that hold nothing else",
        ),
        Column(
            "dependents_gained_recent",
            "double",
            "Families other than its own of crates that began to build on it lately, since about 30 days",
            nullable=True,
            unit="families per 30 days",
        ),
        Column(
            "dependents_lost_recent",
            "double",
            "Families other than its own of crates that ceased to build on it lately, since about 30 days",
            nullable=True,
            unit="families per 30 days",
        ),
        Column(
            "dependents_gained_long",
            "double",
            "Families other than its own of crates that began to build on it since about 120 days",
            nullable=True,
            unit="families per 30 days",
        ),
        Column(
            "dependents_lost_long",
            "double",
            "Families other than its own of crates that ceased to build on it since about 120 days",
            nullable=True,
            unit="families per 30 days",
        ),
        # advisories
        _count("advisories", "Vulnerability advisories it ever had"),
        _count("advisories_365d", "Those that became known in the last 365 days"),
        _count("advisories_unsound", "Advisories on unsound code it ever had"),
        Column("is_unmaintained", "bool", "Whether an advisory calls its default version unmaintained"),
        Column(
            "is_vulnerable",
            "bool",
            "Whether a known vulnerability affects its default version, by its advisory's latest text",
        ),
        _count("tree_vulnerable", "Crates in its build that resolve to a vulnerable version"),
        _count("tree_unmaintained", "Crates in its build that an advisory calls unmaintained"),
        Column("tree_vulnerable_names", "list<string>", "Names of the crates counted in tree_vulnerable"),
        Column("tree_unmaintained_names", "list<string>", "Names of the crates counted in tree_unmaintained"),
    ),
    key=("crate",),
    least_share_of_previous=GROWS,
)

FRESH_FEATURES = replace(
    FEATURES,
    name="fresh_features",
    grain="One row per crate that an event touched or that builds on one, near or far: features as of the last event.",
    partition="version",
    columns=(
        *FEATURES.columns,
        Column("refreshed_at", "timestamp", "When the newest event was seen (UTC): nothing later is used"),
    ),
    least_share_of_previous=None,
)

LABELS = Table(
    name="labels",
    grain="One row per crate, target and horizon: what came true by the end of the horizon.",
    partition="as_of",
    columns=(
        Column("as_of", "date", "As-of date"),
        Column("crate", "string", "Canonical name"),
        Column("family", "string", "First word of the name"),
        Column("target", "string", "What is predicted", accepted=tuple(t.name for t in TARGETS)),
        Column("horizon_days", "int32", "Length of the horizon", unit="days"),
        Column("label", "bool", "Whether it came true; null while not known (censored)", nullable=True),
        Column("known_at", "timestamp", "Instant (UTC) from which the label can be known: the horizon's end"),
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
