"""The layout of the crates.io database dump: required, optional and ignored columns.

The layout has changed a dozen times since 2024, so columns are found by name, never by position.
"""

from dataclasses import dataclass

from resources.common.errors import BadInput


@dataclass(frozen=True)
class CsvTable:
    """One CSV file of the dump. The `key` columns identify a row; the `known` columns are not used."""

    name: str
    key: tuple[str, ...]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    # DuckDB's default of 2 MB is too small for a README of 3 MB
    max_record_bytes: int = 2_000_000
    # texts may have several lines, numbers and dates have one
    is_multiline: bool = True

    @property
    def used(self) -> tuple[str, ...]:
        return (*self.required, *self.optional)


CSV_TABLES: dict[str, CsvTable] = {
    table.name: table
    for table in (
        CsvTable(
            "crates",
            key=("id",),
            required=("id", "name", "created_at"),
            optional=("description", "readme"),
            known=(
                "documentation", "downloads", "homepage", "license", "max_features", "max_upload_size", "repository",
                "textsearchable_index_col", "trustpub_only", "updated_at",
            ),
            max_record_bytes=32_000_000,
        ),
        CsvTable(
            "versions",
            key=("id",),
            required=("id", "crate_id", "num", "created_at", "updated_at", "yanked", "features"),
            optional=(
                "crate_size", "description", "edition", "rust_version", "license", "links", "has_lib", "repository",
                "categories", "keywords", "published_by",
            ),
            known=(
                "bin_names", "checksum", "documentation", "downloads", "homepage", "num_no_build", "readme_file",
                "tar_sha256", "zip_json_sha256", "zip_sha256",
            ),
            max_record_bytes=8_000_000,
        ),
        CsvTable(
            "dependencies",
            key=("id",),
            required=("id", "version_id", "crate_id", "req", "kind", "optional", "default_features"),
            optional=("target", "explicit_name"),
            known=("features",),
        ),
        CsvTable(
            "version_downloads",
            key=("date", "version_id"),
            required=("version_id", "date", "downloads"),
            is_multiline=False,
        ),
        CsvTable(
            "crate_owners",
            key=("crate_id", "owner_kind", "owner_id"),
            required=("crate_id", "owner_id", "owner_kind", "created_at"),
            known=("created_by",),
        ),
        CsvTable(
            "users",
            key=("id",),
            required=("id", "gh_login"),
            known=("created_at", "gh_avatar", "gh_id", "name", "username"),
        ),
        CsvTable("teams", key=("id",), required=("id", "login"), known=("avatar", "github_id", "name", "org_id")),
    )
}  # fmt: skip

IGNORED_TABLES = {
    "badges", "categories", "crate_downloads", "crates_categories", "crates_keywords", "default_versions",
    "deleted_crates", "keywords", "metadata", "oauth_github", "reserved_crate_names", "reserved_usernames",
}  # fmt: skip

# the CSV files that a registry table is loaded from; its rows are those of the first
CSV_FILES: dict[str, tuple[str, ...]] = {
    "crates": ("crates",),
    "versions": ("versions",),
    "yanks": ("versions",),
    "dependencies": ("dependencies",),
    "owners": ("crate_owners", "users", "teams"),
    "downloads": ("version_downloads",),
    "texts": ("versions", "crates"),
}


def check_header(table: CsvTable, header: list[str]) -> list[str]:
    """A note for each unknown column, which is ignored. Raises BadInput if a required column is missing."""
    missing = [column for column in table.required if column not in header]
    if missing:
        raise BadInput(
            f"data/{table.name}.csv: column {', '.join(missing)} is missing (found {', '.join(header)[:300]}), so the "
            "layout of the dump has changed: update resources/crates_io/dump/layout.py"
        )
    if len({column.lower() for column in header}) < len(header):
        raise BadInput(
            f"data/{table.name}.csv: a column is duplicated in {', '.join(header)[:300]}: fetch the dump again"
        )
    if "" in header:
        raise BadInput(f"data/{table.name}.csv: a column has no name in {', '.join(header)[:300]}: use another dump")
    unknown = [column for column in header if column not in (*table.used, *table.known)]
    return [f"data/{table.name}.csv: unknown column {column} is ignored" for column in unknown]


def check_tables(found: set[str]) -> list[str]:
    """A note for each unknown table, which is ignored. Raises BadInput if a required table is missing."""
    missing = sorted(set(CSV_TABLES) - found)
    if missing:
        raise BadInput(
            f"the dump has no data/{missing[0]}.csv (found {', '.join(sorted(found)) or 'no table'}): use a "
            "crates.io database dump, or update resources/crates_io/dump/layout.py if its layout has changed"
        )
    return [f"unknown table data/{name}.csv is ignored" for name in sorted(found - set(CSV_TABLES) - IGNORED_TABLES)]
