"""Known issues in a crate's build: the dependency path to each, and who can fix it."""

from assets.schemas.features import FEATURES
from resources.warehouse.schema import Column, Table

CULPRITS = Table(
    name="culprits",
    grain="One row per crate, version in its build with an issue that an advisory reports, and kind of issue.",
    partition=FEATURES.partition,
    columns=(
        Column("as_of", "date", "As-of date: nothing later than 23:59:59 UTC of the day before is used"),
        Column("crate", "string", "Canonical name of the crate whose default version is built"),
        Column("culprit", "string", "Name of the crate with the issue"),
        Column("culprit_version", "string", "Its version, to which the requirements of the build resolve"),
        Column("issue", "string", "Kind of issue", accepted=("vulnerable", "unsound", "unmaintained")),
        Column("advisories", "list<string>", "Ids of the advisories that report it"),
        Column("path", "list<string>", "Names from the crate to the culprit: the first by name of the shortest paths"),
        Column("through", "list<string>", "Direct dependencies of the crate whose tree has the culprit"),
        Column("holders", "int64", "Number of crates in the build that depend directly on this version"),
        Column("holder", "string", "The crate before the culprit on the path"),
        Column("holder_version", "string", "Version of the holder"),
        Column("holder_requirement", "string", "Requirement of the holder on the culprit"),
        Column(
            "holder_fixed_version",
            "string",
            "Version of the holder without the issue in its tree, not yanked: the newest, a release if there is one; "
            "older than holder_version if no newer version qualifies",
            nullable=True,
        ),
        Column("fixed_version", "string", "Version of the culprit without the issue, by the same rule", nullable=True),
        Column(
            "fixable_by",
            "string",
            "Who can fix it: the first crate on the path whose next crate has a newer fixed version, else an older one",
            accepted=("you", "dependency", "nobody"),
        ),
        Column("actor", "string", "Name of the crate that must change a requirement", nullable=True),
        Column("remedy", "string", "What to do"),
    ),
    key=("crate", "culprit", "culprit_version", "issue"),
)
