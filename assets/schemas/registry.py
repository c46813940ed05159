"""The registry as the source knew it at a snapshot, in the names of the crates.io dump."""

from resources.warehouse.schema import Column, Reference, Table

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
        Column("tables", "list<string>", "Tables that the source has facts for: the others are empty for not knowing"),
        Column(
            "source_bytes", "int64", "Size of the source's files that the tables are made of, as kept", unit="bytes"
        ),
        Column("fetched_bytes", "int64", "Bytes that were fetched for this snapshot", unit="bytes"),
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
        Column(
            "updated_at",
            "timestamp",
            "Since 2021-10-08 the time of its last yank or un-yank (UTC), else of whatever touched the row last",
            nullable=True,
        ),
        Column("yanked", "bool", "Whether it stood yanked at the snapshot; for earlier dates use yanks"),
        Column("feature_names", "list<string>", "Cargo features it declares", nullable=True),
        Column("links", "string", "Native library it links", nullable=True),
        Column("crate_size", "int64", "Size of its .crate file", nullable=True, unit="bytes"),
        Column("edition", "string", "Rust edition", nullable=True),
        Column("rust_version", "string", "Least Rust version, as written", nullable=True),
        Column("license", "string", "SPDX expression, or what stands in its place", nullable=True),
        Column("has_lib", "bool", "Whether it has a library", nullable=True),
        Column("repository", "string", "Address of its repository, as written", nullable=True),
        Column("categories", "list<string>", "crates.io categories", nullable=True),
        Column("keywords", "list<string>", "Keywords", nullable=True),
        Column("published_by", "int64", "User id of the publisher; null for trusted publishing too", nullable=True),
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

EVENTS = Table(
    name="events",
    grain="One row per publication, yank or yank undone since the snapshot, as seen in the index.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("crate", "string", "Canonical name"),
        Column("num", "string", "Version number as published"),
        Column("occurred_at", "timestamp", "When it happened (UTC); if not exact, when it was seen"),
        Column("kind", "string", "What happened", accepted=("publish", "yank", "unyank")),
        Column("occurred_at_exact", "bool", "Whether occurred_at is the exact time"),
        Column("occurred_after", "timestamp", "Earliest it can have happened (UTC): the look or snapshot before"),
        Column("known_at", "timestamp", "When it was seen (UTC)"),
        Column("name", "string", "Crate name as published"),
        Column("feature_names", "list<string>", "Of a publication: Cargo features it declares", nullable=True),
        Column("links", "string", "Of a publication: native library it links", nullable=True),
        Column("rust_version", "string", "Of a publication: least Rust version, as written", nullable=True),
        Column(
            "dependencies",
            "list<struct<dependency: string, req: string, kind: string, optional: bool, default_features: bool, "
            "target: string, explicit_name: string>>",
            "Of a publication: what it depends on, by published name, in the columns of dependencies",
            nullable=True,
        ),
    ),
    key=("crate", "num", "occurred_at", "kind"),
)

OWNERS = Table(
    name="owners",
    grain="One row per owner that a crate has at the snapshot.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("crate_id", "int64", "The crate"),
        Column("kind", "string", "Kind of owner", accepted=("team", "user")),
        Column("owner_id", "int64", "Id of the user or the team"),
        Column("login", "string", "GitHub login of the user, or github:org:team", nullable=True),
        Column(
            "created_at",
            "timestamp",
            "When it became an owner (UTC). Removed owners are absent: past owners are a lower bound",
        ),
    ),
    key=("crate_id", "kind", "owner_id"),
    references=(Reference("crate_id", "crates", "id"),),
    dates=("created_at",),
)

DOWNLOADS = Table(
    name="downloads",
    grain="One row per version and day with downloads; the day of the snapshot itself, not over yet, is left out.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("date", "date", "Day (UTC)"),
        Column("version_id", "int64", "The version"),
        Column("downloads", "int64", "Downloads on that day, mirrors and robots included"),
        Column(
            "is_masked",
            "bool",
            "Whether the day is a known break of the series (resources/crates_io/download_breaks.csv)",
        ),
        Column(
            "counting_method",
            "int64",
            "How crates.io counted: one more after each change, null during one. Not comparable across",
            nullable=True,
        ),
    ),
    key=("date", "version_id"),
    references=(Reference("version_id", "versions", "id"),),
)

ADVISORIES = Table(
    name="advisories",
    grain="One row per revision of a RustSec advisory, as committed to the database by the time it was read.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("id", "string", "RUSTSEC id"),
        Column("package", "string", "Crate name as the advisory gives it"),
        Column("canonical_name", "string", "Crate name in lower case, with - and _ folded"),
        Column("date", "date", "Date of disclosure: do not use for as-of", nullable=True),
        Column("known_at", "timestamp", "First commit to the advisory database (UTC): known from then on"),
        Column("revised_at", "timestamp", "Commit of this revision (UTC): it stands until the next"),
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
        Column("patched", "list<string>", "Requirements that patched versions match"),
        Column("unaffected", "list<string>", "Requirements that unaffected versions match"),
        Column("withdrawn", "date", "Date of withdrawal", nullable=True),
    ),
    key=("id", "revised_at"),
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
        Column(
            "description",
            "string",
            "One line about the crate (bundled registry: written for this project)",
            nullable=True,
        ),
        Column("readme", "string", "README source; crates.io keeps that of the version it shows", nullable=True),
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
        Column("file", "string", "The file it stands in"),
        Column("line", "int64", "The line it ends at, from 1; null for files without lines", nullable=True),
        Column("source_row", "string", "The row as it was judged, as JSON"),
        Column("reason", "string", "The field and what is wrong with it"),
    ),
    key=("table_name", "number"),
)

KEPT_SNAPSHOTS = Table(
    name="kept_snapshots",
    grain="One row per snapshot that is kept, with the space it takes.",
    partition="version",
    columns=(
        Column("snapshot", "date", "Date of the snapshot"),
        Column("source_bytes", "int64", "Size of its files as they were fetched", unit="bytes"),
        Column("own_bytes", "int64", "Size of those of them that no earlier snapshot has", unit="bytes"),
        Column("table_bytes", "int64", "Size of its registry tables in the warehouse", unit="bytes"),
    ),
    key=("snapshot",),
)
