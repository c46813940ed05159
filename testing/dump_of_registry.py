"""Converts a registry in the bundled format to a crates.io dump, with all times shifted to the time of the dump."""

from datetime import date, timedelta
from pathlib import Path

import duckdb

from testing.dumps import Dump

# the bundled registry ends on 2020-07-20
SHIFT = timedelta(days=(date(2026, 11, 20) - date(2020, 7, 20)).days)


def dump_of(registry: Path) -> Dump:
    """The rows of a dump in the newest layout. Inexact times become exact; there are no owners."""
    con = duckdb.connect()
    for table in ("versions", "yanks", "dependencies"):
        con.execute(f"create view {table} as from '{registry}/registry/{table}.parquet'")
    con.execute(
        "create table numbered as select *, "
        "row_number() over (order by published_at, name, position, num) + 100 as id, "
        "dense_rank() over (order by name) as crate_id from versions where num != ''"
    )
    shifted = f"+ interval {SHIFT.days} days"
    versions = con.sql(
        f"""
        select n.id, n.crate_id, n.num, n.published_at {shifted} as created_at,
            coalesce(y.yanked_at, n.published_at) {shifted} as updated_at, y.yanked_at is not null as yanked,
            list_sort(n.feature_names) as feature_names, n.links
        from numbered as n
        left join (select name, num, max(yanked_at) as yanked_at from yanks where unyanked_at is null group by all) as y
            using (name, num)
        order by n.id
        """
    )
    rows = {
        "versions": [_version(row) for row in _records(versions)],
        "crates": [
            _crate(row)
            for row in _records(
                con.sql(
                    f"select crate_id as id, name, min(published_at) {shifted} as created_at from numbered group by all"
                )
            )
        ],
        "dependencies": _records(
            con.sql(
                """
                select row_number() over () as id, v.id as version_id, c.crate_id, d.req,
                    d.optional, d.default_features,
                    case d.kind when 'normal' then 0 when 'build' then 1 else 2 end as kind,
                    d.target, d.explicit_name, []::varchar[] as features
                from dependencies as d
                join numbered as v on v.name = d.name and v.num = d.num
                join (select distinct name, crate_id from numbered) as c on c.name = d.dependency
                order by version_id, d.dependency, d.kind, d.req
                """
            )
        ),
    }
    unknown = {table: [] for table in ("crate_owners", "users", "teams", "version_downloads")}
    others = ("categories", "crate_downloads", "keywords", "metadata", "oauth_github", "reserved_crate_names")
    more = ("reserved_usernames", "crates_categories", "crates_keywords", "deleted_crates", "default_versions")
    return {**rows, **unknown, **{table: [] for table in (*others, *more)}}


def _records(rows: duckdb.DuckDBPyRelation) -> list[dict]:
    return rows.to_arrow_table().to_pylist()


def _version(row: dict) -> dict:
    features = {name: [] for name in row.pop("feature_names") or []}
    empty = (
        "bin_names",
        "documentation",
        "edition",
        "has_lib",
        "homepage",
        "license",
        "published_by",
        "rust_version",
    )
    return {
        **row,
        **dict.fromkeys((*empty, "repository", "zip_json_sha256", "zip_sha256")),
        "categories": [],
        "crate_size": 1000,
        "description": "A crate of 2020",
        "downloads": 0,
        "features": features,
        "keywords": [],
        "num_no_build": row["num"].partition("+")[0],
        "tar_sha256": bytes(32),
    }


def _crate(row: dict) -> dict:
    empty = ("documentation", "homepage", "max_features", "max_upload_size", "readme", "repository")
    about = {"description": "A crate of 2020", "trustpub_only": False, "updated_at": row["created_at"]}
    return {**row, **dict.fromkeys(empty), **about}
