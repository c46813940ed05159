"""The registry as the source knew it at a snapshot, in the names of the crates.io dump."""

from resources.schema import Column, Reference, Table

# a registry only grows but for deletions (about 5 % of names in six years): a fall means a lost part
GROWS = 0.98

SNAPSHOTS = Table(
    name="snapshots",
    grain="One row per snapshot of the registry: where it came from and when it was taken.",
    partition="snapshot",
    columns=(
        Column("snapshot", "date", "Date of the snapshot: the partition key of the registry tables"),
        Column("taken_at", "timestamp", "Instant (UTC) at which the source stood as it is"),
        Column("advisories_read_at", "timestamp", "Instant (UTC) at which the advisory database was read"),
        Column("source", "string", "Name of the source"),
        Column("source_sha256", "string", "Hash of the source's manifest, and so of every byte of it"),
    ),
    key=("snapshot",),
)

CRATES = Table(
    name="crates",
    grain="One row per crate.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("id", "int64", "Crate id, valid within the snapshot"),
        Column("name", "string", "Name as published"),
        Column("canonical_name", "string", "Lower case, with - and _ folded: the name that is unique"),
        Column(
            "created_at", "timestamp", "First publication (UTC); if not exact, the time it is known to have existed"
        ),
        Column("created_after", "timestamp", "Earliest the first publication can have been (UTC)", nullable=True),
        Column("created_at_exact", "bool", "Whether created_at is the exact time"),
    ),
    key=("id",),
    dates=("created_at",),
    least_share_of_previous=GROWS,
)

VERSIONS = Table(
    name="versions",
    grain="One row per published version of a crate.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("id", "int64", "Version id, valid within the snapshot"),
        Column("crate_id", "int64", "The crate"),
        Column("num", "string", "Version number as published"),
        Column(
            "version_key", "string", "Text that sorts bytewise as Cargo orders versions (resources/cargo/macros.sql)"
        ),
        Column("created_at", "timestamp", "Publication (UTC); if not exact, the latest it can have been"),
        Column("created_after", "timestamp", "Earliest the publication can have been (UTC)", nullable=True),
        Column("created_at_exact", "bool", "Whether created_at is the exact time"),
        Column("yanked", "bool", "Whether it stood yanked at the snapshot; for earlier dates use yanks"),
        Column("feature_names", "list<string>", "Cargo features it declares", nullable=True),
        Column("links", "string", "Native library it links", nullable=True),
    ),
    key=("id",),
    references=(Reference("crate_id", "crates", "id"),),
    dates=("created_at",),
    least_share_of_previous=GROWS,
)

YANKS = Table(
    name="yanks",
    grain="One row per time a version was yanked.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("version_id", "int64", "The version"),
        Column("yanked_at", "timestamp", "Yank (UTC); if not exact, the snapshot by which it was yanked"),
        Column("yanked_at_exact", "bool", "Whether yanked_at is the exact time"),
        Column("unyanked_at", "timestamp", "When the yank was undone (UTC); null while it stands", nullable=True),
    ),
    key=("version_id", "yanked_at"),
    references=(Reference("version_id", "versions", "id"),),
    dates=("yanked_at", "unyanked_at"),
)

DEPENDENCIES = Table(
    name="dependencies",
    grain="One row per dependency that a version declares. Never changes after publication.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("id", "int64", "Dependency id, valid within the snapshot"),
        Column("version_id", "int64", "The version that has the dependency"),
        Column("crate_id", "int64", "The crate depended on"),
        Column("req", "string", "Version requirement as written"),
        Column("kind", "string", "Kind of dependency", accepted=("normal", "build", "dev")),
        Column("optional", "bool", "Whether a feature must ask for it"),
        Column("default_features", "bool", "Whether its default features are on"),
        Column("target", "string", "Platform it is limited to", nullable=True),
        Column("explicit_name", "string", "Name it is renamed to", nullable=True),
    ),
    key=("id",),
    references=(Reference("version_id", "versions", "id"), Reference("crate_id", "crates", "id")),
    least_share_of_previous=GROWS,
)

ADVISORIES = Table(
    name="advisories",
    grain="One row per RustSec advisory committed to the database by the snapshot.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("id", "string", "RUSTSEC id"),
        Column("package", "string", "Crate name as the advisory gives it"),
        Column("canonical_name", "string", "Crate name in lower case, with - and _ folded"),
        Column("date", "date", "Date of disclosure: do not use for as-of", nullable=True),
        Column("known_at", "timestamp", "Commit to the advisory database (UTC): known from then on"),
        Column(
            "informational",
            "string",
            "Kind, if not a vulnerability",
            nullable=True,
            accepted=("unmaintained", "unsound", "notice"),
        ),
        Column("cvss", "string", "CVSS vector; about half of the vulnerabilities have none", nullable=True),
        Column("categories", "list<string>", "RustSec categories", nullable=True),
        Column("aliases", "list<string>", "CVE and GHSA ids", nullable=True),
        Column(
            "patched", "list<string>", "Requirements that patched versions match, as the database said when it was read"
        ),
        Column(
            "unaffected", "list<string>", "Requirements that unaffected versions match, as the database said when read"
        ),
        Column("withdrawn", "date", "Date of withdrawal", nullable=True),
    ),
    key=("id",),
    dates=("known_at",),
    least_share_of_previous=GROWS,
)

TEXTS = Table(
    name="texts",
    grain="One row per crate version whose text is known: what its author wrote about it.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("version_id", "int64", "The version"),
        Column("crate_id", "int64", "Its crate"),
        Column("description", "string", "One line about the crate (bundled registry: written for this project)"),
        Column("readme", "string", "README source", nullable=True),
        Column("content_sha256", "string", "Hash of description and README"),
    ),
    key=("version_id",),
    references=(Reference("version_id", "versions", "id"), Reference("crate_id", "crates", "id")),
)

QUARANTINE = Table(
    name="quarantine",
    grain="One row per source row that broke a contract and is in no table.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("table_name", "string", "The table it was meant for"),
        Column("number", "int64", "Number of the row among those of its table"),
        Column("source_row", "string", "The row as it was judged, as JSON"),
        Column("reason", "string", "The field and what is wrong with it"),
    ),
    key=("table_name", "number"),
)
