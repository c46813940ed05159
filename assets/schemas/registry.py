"""Registry tables of a snapshot, with the names of the crates.io database dump."""

from resources.warehouse.schema import Column, Reference, Table

# a registry grows, except for deletions (about 5% of the names in six years): a larger fall means that data is missing
MIN_SHARE = 0.98

SNAPSHOTS = Table(
    name="snapshots",
    grain="One row per snapshot of the registry: where it came from and when it was taken.",
    partition="snapshot",
    columns=(
        Column("snapshot", "date", "Date of the snapshot: the partition key of the registry tables"),
        Column("taken_at", "timestamp", "Time (UTC) of the state that the source describes"),
        Column("advisories_read_at", "timestamp", "Time (UTC) at which the advisory database was read"),
        Column("source", "string", "Name of the source"),
        Column("source_sha256", "string", "Hash of the source's manifest, which covers every byte of the source"),
        Column(
            "tables",
            "list<string>",
            "Tables that the source has facts for; the others are empty because nothing is known",
        ),
        Column(
            "source_bytes", "int64", "Size of the archived source files that the tables are made from", unit="bytes"
        ),
        Column("fetched_bytes", "int64", "Bytes downloaded for this snapshot", unit="bytes"),
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
        Column("canonical_name", "string", "Unique name: lower case, with - replaced by _"),
        Column("created_at", "timestamp", "First publication (UTC); if not exact, the latest it can have been"),
        Column("created_after", "timestamp", "Earliest the first publication can have been (UTC)", nullable=True),
        Column("created_at_exact", "bool", "Whether created_at is the exact time"),
    ),
    key=("id",),
    dates=("created_at",),
    min_share_of_previous=MIN_SHARE,
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
        Column("version_key", "string", "Text whose byte order is Cargo's version order (resources/cargo/macros.sql)"),
        Column("created_at", "timestamp", "Publication (UTC); if not exact, the latest it can have been"),
        Column("created_after", "timestamp", "Earliest the publication can have been (UTC)", nullable=True),
        Column("created_at_exact", "bool", "Whether created_at is the exact time"),
        Column(
            "updated_at",
            "timestamp",
            "Last change of the row (UTC); since 2021-10-08 that is the last yank or un-yank",
            nullable=True,
        ),
        Column("yanked", "bool", "Whether it was yanked at the snapshot; for earlier dates use yanks"),
        Column("feature_names", "list<string>", "Cargo features it declares", nullable=True),
        Column("links", "string", "Native library it links", nullable=True),
        Column("crate_size", "int64", "Size of its .crate file", nullable=True, unit="bytes"),
        Column("edition", "string", "Rust edition", nullable=True),
        Column("rust_version", "string", "Minimum Rust version, as written", nullable=True),
        Column("license", "string", "SPDX expression, or license text as written", nullable=True),
        Column("has_lib", "bool", "Whether it has a library", nullable=True),
        Column("repository", "string", "Address of its repository, as written", nullable=True),
        Column("categories", "list<string>", "crates.io categories", nullable=True),
        Column("keywords", "list<string>", "Keywords", nullable=True),
        Column("published_by", "int64", "User id of the publisher; null also for trusted publishing", nullable=True),
    ),
    key=("id",),
    references=(Reference("crate_id", "crates", "id"),),
    dates=("created_at",),
    min_share_of_previous=MIN_SHARE,
)

YANKS = Table(
    name="yanks",
    grain="One row per time a version was yanked.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("version_id", "int64", "The version"),
        Column("yanked_at", "timestamp", "Time of the yank (UTC); if not exact, of the first snapshot with it"),
        Column("yanked_at_exact", "bool", "Whether yanked_at is the exact time"),
        Column("unyanked_at", "timestamp", "Time of the un-yank (UTC); null if still yanked", nullable=True),
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
        Column("optional", "bool", "Whether it is enabled only by a feature"),
        Column("default_features", "bool", "Whether its default features are enabled"),
        Column("target", "string", "Platform it is limited to", nullable=True),
        Column("explicit_name", "string", "Name in Cargo.toml, if renamed", nullable=True),
    ),
    key=("id",),
    references=(Reference("version_id", "versions", "id"), Reference("crate_id", "crates", "id")),
    min_share_of_previous=MIN_SHARE,
)

EVENTS = Table(
    name="events",
    grain="One row per publication, yank or un-yank since the snapshot, as seen in the index.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("crate", "string", "Canonical name"),
        Column("num", "string", "Version number as published"),
        Column("occurred_at", "timestamp", "Time of the event (UTC); if not exact, the time at which it was seen"),
        Column("kind", "string", "What happened", accepted=("publish", "yank", "unyank")),
        Column("occurred_at_exact", "bool", "Whether occurred_at is the exact time"),
        Column(
            "occurred_after", "timestamp", "Earliest possible time (UTC): that of the previous index update or snapshot"
        ),
        Column("known_at", "timestamp", "Time at which it was seen (UTC)"),
        Column("name", "string", "Crate name as published"),
        Column("feature_names", "list<string>", "Publications only: Cargo features it declares", nullable=True),
        Column("links", "string", "Publications only: native library it links", nullable=True),
        Column("rust_version", "string", "Publications only: minimum Rust version, as written", nullable=True),
        Column(
            "dependencies",
            "list<struct<dependency: string, req: string, kind: string, optional: bool, default_features: bool, "
            "target: string, explicit_name: string>>",
            "Publications only: dependencies by published name, with the columns of the dependencies table",
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
            "Time of becoming an owner (UTC). Removed owners are absent, so past owners are a lower bound",
        ),
    ),
    key=("crate_id", "kind", "owner_id"),
    references=(Reference("crate_id", "crates", "id"),),
    dates=("created_at",),
)

DOWNLOADS = Table(
    name="downloads",
    grain="One row per version and day with downloads, without the incomplete day of the snapshot.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("date", "date", "Day (UTC)"),
        Column("version_id", "int64", "The version"),
        Column("downloads", "int64", "Downloads on that day, including mirrors and bots"),
        Column(
            "is_masked",
            "bool",
            "Whether the day is a known break of the series (resources/crates_io/download_breaks.csv)",
        ),
        Column(
            "counting_method",
            "int64",
            "Counting method of crates.io: increases with each change, null during one. Methods are not comparable",
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
        Column("canonical_name", "string", "Crate name in lower case, with - replaced by _"),
        Column("date", "date", "Date of disclosure: do not use for as-of", nullable=True),
        Column("known_at", "timestamp", "First commit to the advisory database (UTC), from which it is known"),
        Column("revised_at", "timestamp", "Commit of this revision (UTC), valid until the next"),
        Column(
            "informational",
            "string",
            "Kind, if it is not a vulnerability",
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
    min_share_of_previous=MIN_SHARE,
)

TEXTS = Table(
    name="texts",
    grain="One row per crate version with a known text: the description and README by its author.",
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
        Column("readme", "string", "README source; the dump has that of the default version", nullable=True),
        Column("content_sha256", "string", "Hash of description and README"),
    ),
    key=("version_id",),
    references=(Reference("version_id", "versions", "id"), Reference("crate_id", "crates", "id")),
)

QUARANTINE = Table(
    name="quarantine",
    grain="One row per source row that violates a contract and was left out of its table.",
    partition="snapshot",
    newest_only=True,
    columns=(
        Column("table_name", "string", "The table that it belongs to"),
        Column("number", "int64", "Position of the row in its table"),
        Column("file", "string", "The file that contains it"),
        Column("line", "int64", "The line at which it ends, from 1; null for files without lines", nullable=True),
        Column("source_row", "string", "The row as checked, in JSON"),
        Column("reason", "string", "The field and the violation"),
    ),
    key=("table_name", "number"),
)

RETAINED_SNAPSHOTS = Table(
    name="retained_snapshots",
    grain="One row per retained snapshot, with the space it uses.",
    partition="version",
    columns=(
        Column("snapshot", "date", "Date of the snapshot"),
        Column("source_bytes", "int64", "Size of its files as downloaded", unit="bytes"),
        Column("own_bytes", "int64", "Size of its files that no earlier snapshot has", unit="bytes"),
        Column("table_bytes", "int64", "Size of its registry tables in the warehouse", unit="bytes"),
    ),
    key=("snapshot",),
)
