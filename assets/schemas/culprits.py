"""What is wrong in a crate's build, through whom it is held, and who can do what about it."""

from assets.schemas.features import FEATURES
from resources.warehouse.schema import Column, Table

CULPRITS = Table(
    name="culprits",
    grain="One row per crate, version in its build that a known advisory is about, and kind of trouble with it.",
    partition=FEATURES.partition,
    columns=(
        Column("as_of", "date", "As-of date: nothing later than 23:59:59 UTC of the day before is used"),
        Column("crate", "string", "Canonical name of the crate whose build it is, at its default version"),
        Column("culprit", "string", "Name of the crate in trouble"),
        Column("culprit_version", "string", "Its version, which the build's requirements resolve to"),
        Column("trouble", "string", "What is wrong with it", accepted=("vulnerable", "unsound", "unmaintained")),
        Column("advisories", "list<string>", "Advisories that say so"),
        Column("path", "list<string>", "Names from the crate to the culprit: a shortest path, the first by name"),
        Column("through", "list<string>", "Dependencies of the crate that pull it in: each has to let go of it"),
        Column("holders", "int64", "Crates in the build that require this version directly"),
        Column("holder", "string", "The crate before the culprit on the path"),
        Column("holder_version", "string", "Its version"),
        Column("holder_requirement", "string", "Its requirement of the culprit"),
        Column(
            "frees_version",
            "string",
            "Version of the holder, not yanked, whose build has no version of the culprit in this trouble: the newest, "
            "releases first; an older one than holder_version if no newer one is free",
            nullable=True,
        ),
        Column("fixed_version", "string", "The same of the culprit itself", nullable=True),
        Column(
            "who",
            "string",
            "Who must act: the first on the path for whom the next has a newer free version, else an older one",
            accepted=("you", "dependency", "nobody"),
        ),
        Column("actor", "string", "Name of the crate that must act; null if nobody can", nullable=True),
        Column("remedy", "string", "What to do"),
    ),
    key=("crate", "culprit", "culprit_version", "trouble"),
)
