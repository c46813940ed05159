"""Generates crates.io database dumps from rows, in all layouts since 2024 and in psql's CSV dialect."""

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import count

# Rows by table name, with the columns of the newest layout. Values: datetime (UTC, without a zone), date,
# bool, int, str, list[str] for text[], dict for jsonb, bytes for bytea, None for NULL.
Dump = dict[str, list[dict]]

SMALL_AT = "2026-11-20T02:15:07.123456789Z"
COMMIT = "57fa00066d1e3c1f4b0a9c8e7d6f5a4b3c2d1e0f"


@dataclass(frozen=True)
class Layout:
    """The tables and columns of a dump, in their order."""

    tables: dict[str, tuple[str, ...]]
    zone: str = "+00"  # suffix of every timestamp

    def without(self, table: str, *columns: str) -> "Layout":
        """The layout without some columns of a table, or without the table if no columns are given."""
        remaining = tuple(c for c in self.tables[table] if c not in columns) if columns else ()
        return replace(
            self, tables={t: remaining if t == table else c for t, c in self.tables.items() if remaining or t != table}
        )

    def with_column(self, table: str, column: str) -> "Layout":
        """The layout with an additional column, in alphabetical order."""
        return replace(self, tables={**self.tables, table: tuple(sorted((*self.tables[table], column)))})


def _layouts() -> dict[str, Layout]:
    """All layouts, each derived from the next one by undoing its changes."""
    newest = Layout(
        {
            "categories": ("category", "crates_cnt", "created_at", "description", "id", "path", "slug"),
            "crate_downloads": ("crate_id", "downloads"),
            "crates": (
                *("created_at", "description", "documentation", "homepage", "id", "max_features", "max_upload_size"),
                *("name", "readme", "repository", "trustpub_only", "updated_at"),
            ),
            "keywords": ("crates_cnt", "created_at", "id", "keyword"),
            "metadata": ("total_downloads",),
            "oauth_github": ("account_id", "avatar", "login", "user_id"),
            "reserved_crate_names": ("name",),
            "reserved_usernames": ("username",),
            "teams": ("avatar", "github_id", "id", "login", "name", "org_id"),
            "users": ("created_at", "gh_id", "gh_login", "id", "name", "username"),
            "crates_categories": ("category_id", "crate_id"),
            "crates_keywords": ("crate_id", "keyword_id"),
            "crate_owners": ("crate_id", "created_at", "created_by", "owner_id", "owner_kind"),
            "deleted_crates": ("available_at", "created_at", "deleted_at", "deleted_by", "id", "message", "name"),
            "versions": (
                *("bin_names", "categories", "crate_id", "crate_size", "created_at", "description", "documentation"),
                *("downloads", "edition", "features", "has_lib", "homepage", "id", "keywords", "license", "links"),
                *("num", "num_no_build", "published_by", "repository", "rust_version", "tar_sha256", "updated_at"),
                *("yanked", "zip_json_sha256", "zip_sha256"),
            ),
            "default_versions": ("crate_id", "num_versions", "version_id"),
            "dependencies": (
                *("crate_id", "default_features", "explicit_name", "features", "id", "kind", "optional", "req"),
                *("target", "version_id"),
            ),
            "version_downloads": ("date", "downloads", "version_id"),
        }
    )
    trusted = (
        newest.without("deleted_crates")
        .without("oauth_github")
        .without("reserved_usernames")
        .without("users", "created_at", "username")
        .with_column("users", "gh_avatar")
        .without("versions", "tar_sha256", "zip_json_sha256", "zip_sha256")
        .with_column("versions", "checksum")
    )
    zoned = trusted.without("crates", "trustpub_only")
    zoneless = replace(zoned.without("default_versions", "num_versions"), zone="")
    oldest = (
        zoneless.without("crate_downloads")
        .without("default_versions")
        .with_column("crates", "downloads")
        .without("versions", "bin_names", "categories", "description", "documentation", "edition")
        .without("versions", "has_lib", "homepage", "keywords", "repository")
    )
    return {"2024-02": oldest, "2024-11": zoneless, "2025-02": zoned, "2025-11": trusted, "2026-08": newest}


LAYOUTS = _layouts()


def csv_tables(dump: Dump, layout: str) -> dict[str, bytes]:
    """All tables of the layout as CSV with a header; tables that `dump` lacks are empty. Raises KeyError."""
    shape = LAYOUTS[layout]
    rows = _older_columns(dump)
    return {table: _csv(rows.get(table, []), columns, shape.zone) for table, columns in shape.tables.items()}


def zip_bytes(dump: Dump, layout: str, timestamp: str) -> bytes:
    """db-dump.zip: member names without a prefix."""
    out = io.BytesIO()
    written = datetime.fromisoformat(timestamp[:19])
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in _members(dump, layout, timestamp):
            member = zipfile.ZipInfo(name, written.timetuple()[:6])
            member.compress_type = zipfile.ZIP_STORED if name.endswith("/") else zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return out.getvalue()


def tar_gz_bytes(dump: Dump, layout: str, timestamp: str) -> bytes:
    """db-dump.tar.gz: member names under a folder with the start time of the dump."""
    out = io.BytesIO()
    started = datetime.fromisoformat(timestamp[:19])
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for name, content in _members(dump, layout, timestamp):
            member = tarfile.TarInfo(f"{started:%Y-%m-%d-%H%M%S}/{name.rstrip('/')}")
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            member.mode = 0o755 if name.endswith("/") else 0o644
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _members(dump: Dump, layout: str, timestamp: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the members, in order; a name that ends with / is a folder."""
    tables = LAYOUTS[layout].tables
    columns = {table: ", ".join(f'"{c}"' for c in names) for table, names in tables.items()}
    export = "".join(f"\\copy \"{t}\" ({c}) TO 'data/{t}.csv' WITH CSV HEADER\n" for t, c in columns.items())
    schema = "".join(f"CREATE TABLE public.{t} ({c});\n" for t, c in columns.items())
    metadata = {"timestamp": timestamp, "crates_io_commit": COMMIT}
    yield "README.md", b"# Dump of the crates.io database, for tests\n"
    yield "export.sql", f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ LATEST;\n{export}COMMIT;\n".encode()
    yield "import.sql", export.replace(" TO ", " FROM ").encode()
    yield "metadata.json", json.dumps(metadata, indent=2).encode()
    yield "schema.sql", schema.encode()
    yield "data/", b""
    for table, content in csv_tables(dump, layout).items():
        yield f"data/{table}.csv", content


def _older_columns(dump: Dump) -> Dump:
    """The rows with the columns of older layouts."""
    downloads = {row["crate_id"]: row["downloads"] for row in dump.get("crate_downloads", [])}
    added = {
        "crates": lambda row: {"downloads": downloads.get(row["id"], 0)},
        "users": lambda row: {"gh_avatar": f"https://avatars.example.org/u/{row['gh_id']}?v=4"},
        "versions": lambda row: {"checksum": row["tar_sha256"].hex()},
    }
    return {**dump, **{t: [{**row, **add(row)} for row in dump.get(t, [])] for t, add in added.items()}}


def _csv(rows: list[dict], columns: tuple[str, ...], zone: str) -> bytes:
    lines = [columns, *([_text(row[column], zone) for column in columns] for row in rows)]
    return "".join(",".join(map(_field, line)) + "\n" for line in lines).encode()


def _text(value: object, zone: str) -> str | None:
    """A value in Postgres' text format."""
    match value:
        case None | str():
            return value
        case bool():
            return "t" if value else "f"
        case datetime():
            fraction = f".{value.microsecond:06}".rstrip("0").rstrip(".")
            return f"{value:%Y-%m-%d %H:%M:%S}{fraction}{zone}"
        case list():
            return "{" + ",".join(_element(v) for v in value) + "}"
        case dict():
            # jsonb sorts keys by length, then by bytes
            ordered = dict(sorted(value.items(), key=lambda item: (len(item[0].encode()), item[0].encode())))
            return json.dumps(ordered, ensure_ascii=False)
        case bytes():
            return "\\x" + value.hex()
        case _:
            return str(value)


def _element(text: str) -> str:
    """A string in an array literal, quoted like Postgres does."""
    plain = text and text.upper() != "NULL" and not any(c in '{}",\\' or c.isspace() for c in text)
    return text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _field(text: str | None) -> str:
    """A field of COPY: NULL is empty, the empty string is two quotes."""
    if text is None:
        return ""
    if text in ("", "\\.") or any(c in ',"\n\r' for c in text):
        return '"' + text.replace('"', '""') + '"'
    return text


# ---------------------------------------------------------------------------------------------------------------------
# A small dump. Crates are named after trees, users after birds; all data is invented.

README = '# Alder\n\n"Fast", safe, and small.\n\n```rust\nlet s = "a, b";\n```\n\n\\.\n\r\nfür alle → 你好\n'

# (crate, version, publication, later change): "-2021-11-02" is a yank on that day, "~2022-05-01" a yank that was undone
# by that day. In the order of ids.
VERSIONS = [
    ("Oldwood", "0.0.1-001", "2014-12-02", "-2017-11-30"),
    ("birch-sys", "0.1.0", "2015-01-13", None),
    ("Oldwood", "0.0.2", "2015-02-20", None),
    ("alder", "0.1.0", "2016-03-01", "-2016-03-02"),
    ("alder", "0.1.1", "2016-03-02", None),
    ("birch-sys", "0.2.0", "2016-09-09", "-2021-11-02"),
    ("alder", "0.2.0", "2017-06-15", None),
    ("alder_derive", "0.2.0", "2017-06-15", None),
    ("birch-sys", "0.2.1", "2018-01-05", None),
    ("alder", "1.0.0-beta.1", "2018-04-01", None),
    ("alder", "1.0.0", "2018-05-01", None),
    ("alder_derive", "1.0.0", "2018-05-01", None),
    ("cedar", "0.1.0", "2019-02-03", None),
    ("cedar", "0.1.1", "2019-02-04", "-2019-02-05"),
    ("cedar", "0.2.0", "2019-08-17", None),
    ("dogwood", "0.1.0", "2020-01-01", "-2020-01-03"),
    ("dogwood", "0.1.1", "2020-01-02", "-2020-01-03"),
    ("alder", "1.0.1", "2020-03-03", None),
    ("elm-cli", "1.0.0", "2020-06-30", None),
    ("elm-cli", "1.1.0", "2020-10-10", None),
    ("fir", "0.1.0", "2021-03-14", None),
    ("alder", "1.1.0", "2021-10-21", "~2022-05-01"),
    ("alder_derive", "1.1.0", "2021-10-21", None),
    ("fir", "0.2.0", "2021-12-31", None),
    ("elm-cli", "2.0.0", "2022-02-22", "-2022-02-23"),
    ("elm-cli", "2.0.1", "2022-02-23", None),
    ("gorse", "0.1.0-alpha.1", "2022-07-07", None),
    ("gorse", "0.1.0-alpha.2", "2022-08-08", None),
    ("hazel", "0.1.0", "2023-01-15", None),
    ("hazel", "0.1.1+tree.7", "2023-01-16", None),
    ("fir", "0.3.0", "2023-09-01", None),
    ("hazel", "0.2.0", "2024-02-29", "-2024-03-01"),
    ("ivy", "0.1.0", "2024-05-05", None),
    ("alder", "1.2.0", "2024-11-30", None),
    ("alder_derive", "1.2.0", "2024-11-30", None),
    ("ivy", "0.1.1", "2025-03-20", None),
    ("juniper-tree", "0.1.0", "2025-12-24", None),
    ("cedar", "1.0.0", "2026-06-25", None),
    ("alder", "2.0.0", "2026-09-30", "-2026-10-01"),
    ("alder", "2.0.1", "2026-10-01", None),
]
CRATES = {name: i for i, name in enumerate(dict.fromkeys(name for name, *_ in VERSIONS), start=11)}
KINDS = {"normal": 0, "build": 1, "dev": 2}

# (crate, first version with it, dependency, requirement, differences from a default normal dependency)
DEPENDENCIES = [
    ("Oldwood", "0.0.1-001", "birch-sys", "^0-.11.0", {}),
    ("alder", "0.1.0", "birch-sys", "^0.1", {}),
    ("alder", "0.2.0", "birch-sys", ">=0.2, <0.4", {"default_features": False, "target": "cfg(unix)"}),
    ("alder", "0.2.0", "alder_derive", "^0.2", {"optional": True}),
    ("alder", "1.0.0", "alder_derive", "=1.0.0", {"optional": True, "explicit_name": "derive"}),
    ("alder", "1.0.0", "alder", "*", {"kind": "dev"}),
    ("alder", "1.2.0", "cedar", "~0.2", {"target": 'cfg(all(windows, target_arch = "x86_64"))'}),
    ("alder_derive", "0.2.0", "fir", "^0.1", {"kind": "dev"}),
    ("birch-sys", "0.2.0", "dogwood", "0.1.*", {"kind": "build", "features": ["static", "vendored"]}),
    ("cedar", "0.1.0", "alder", "^1.0", {"features": ["derive"]}),
    ("cedar", "0.2.0", "birch-sys", "^0.2", {"kind": "build", "target": "x86_64-pc-windows-msvc"}),
    ("dogwood", "0.1.0", "Oldwood", "^0.0.2", {}),
    ("elm-cli", "1.0.0", "cedar", "^0.2", {}),
    ("elm-cli", "1.0.0", "alder", "^1", {"features": ["derive", "std"], "default_features": False}),
    ("elm-cli", "2.0.1", "cedar", "^0.1", {"explicit_name": "cedar_old"}),
    ("fir", "0.1.0", "alder", "^1.0.1", {"optional": True}),
    ("fir", "0.2.0", "gorse", "^0.1.0-alpha.1", {"kind": "dev", "optional": False}),
    ("hazel", "0.1.0", "fir", ">0.1, <=0.3", {}),
    ("ivy", "0.1.0", "hazel", "^0.1", {}),
    ("ivy", "0.1.0", "ivy", "^0.1", {"kind": "dev"}),
    ("juniper-tree", "0.1.0", "alder", "^1.2", {"features": ['odd "name"', "a,b", ""]}),
]
FEATURES = {
    "alder": {"std": [], "derive": ["dep:alder_derive"], "default": ["std"], "all": ["derive", "cedar?/std"]},
    "birch-sys": {"static": [], "vendored": ["static"]},
}
CATEGORIES = {
    "alder": ["encoding", "no-std"],
    "birch-sys": ["external-ffi-bindings"],
    "elm-cli": ["command-line-utilities", "development-tools::cargo-plugins"],
}
KEYWORDS = {"alder": ["serialization", "no_std"], "cedar": ["no_std"], "elm-cli": ["cli"]}
DESCRIPTIONS = {"alder": 'Trees, and what they\'re "made of"', "cedar": "", "dogwood": None, "elm-cli": "One\nper line"}
COUNTED = {"alder 1.2.0": 900, "alder 2.0.0": 5, "alder 2.0.1": 400, "birch-sys 0.2.1": 300, "cedar 1.0.0": 40}
# id: (login, name, creation of the account)
USERS = {
    1: ("wren", "Jenny Wren", None),
    2: ("rook", "", None),
    3: ("ghost-of-2015", None, None),
    4: ("Owl", 'Strix "Owl", Jr.', None),
    5: ("swift", None, datetime(2026, 6, 20, 8, 0, 0, 120000)),
}
# (crate, owner, added on, added by): a user id, or "team"
OWNERS = [
    *(("Oldwood", 3, "2014-12-02", None), ("birch-sys", 1, "2015-01-13", None), ("alder", 1, "2016-03-01", None)),
    *(("alder_derive", 1, "2017-06-15", None), ("alder", 2, "2018-04-30", 1), ("alder", "team", "2019-01-01", 1)),
    *(("cedar", 2, "2019-02-03", None), ("dogwood", 4, "2020-01-01", None), ("elm-cli", 2, "2020-06-30", None)),
    *(("fir", 4, "2021-03-14", None), ("gorse", 4, "2022-07-07", None), ("hazel", 2, "2023-01-15", None)),
    *(("ivy", 4, "2024-05-05", None), ("juniper-tree", 2, "2025-12-24", None), ("cedar", 5, "2026-06-24", 2)),
]


def small_dump() -> Dump:
    """12 crates, 40 versions and their data, as of `SMALL_AT`."""
    versions = [_version(i, *facts) for i, facts in enumerate(VERSIONS, start=101)]
    daily = _daily_downloads(versions)
    for version in versions:
        counted = sum(row["downloads"] for row in daily if row["version_id"] == version["id"])
        version["downloads"] = counted + 10 * (version["id"] - 100)
    by_crate = {i: [v for v in versions if v["crate_id"] == i] for i in CRATES.values()}
    totals = {i: sum(v["downloads"] for v in of) for i, of in by_crate.items()}
    return {
        **_labels(),
        "crate_downloads": [{"crate_id": i, "downloads": n} for i, n in totals.items()],
        "crates": [_crate(name, by_crate[i]) for name, i in CRATES.items()],
        "metadata": [{"total_downloads": sum(totals.values())}],
        **_people(),
        "reserved_crate_names": [{"name": "core"}, {"name": "std"}],
        "reserved_usernames": [{"username": "admin"}],
        "deleted_crates": [_deleted("a1der", "2026-10-02 11:20:00", "2026-10-02 15:45:30.5", 'malicious, by "evil"')],
        "versions": versions,
        "default_versions": [
            {"crate_id": i, "num_versions": len(of), "version_id": _default(of)["id"]} for i, of in by_crate.items()
        ],
        "dependencies": list(_dependencies(versions)),
        "version_downloads": daily,
    }


def _at(day: str, clock: time = time(9, 41, 20, 782996)) -> datetime:
    return datetime.combine(date.fromisoformat(day), clock)


def _version(id_: int, crate: str, num: str, day: str, later: str | None) -> dict:
    tar = hashlib.sha256(f"{crate} {num}".encode()).digest()
    zipped = day >= "2018"  # zips of the oldest versions are not backfilled yet
    return {
        "bin_names": None if day < "2016" else ["elm", "elm-ls"] if crate == "elm-cli" else [],
        "categories": CATEGORIES.get(crate, []),
        "crate_id": CRATES[crate],
        "crate_size": 1000 + 37 * id_,
        "created_at": _at(day),
        "description": DESCRIPTIONS.get(crate, f"All about {crate}"),
        "documentation": None,
        "downloads": 0,
        "edition": "2015" if day < "2018-12-06" else "2018" if day < "2021-10-21" else "2021",
        "features": FEATURES.get(crate, {}),
        "has_lib": None if day < "2016" else crate != "elm-cli",
        "homepage": "" if crate == "cedar" else None,
        "id": id_,
        "keywords": KEYWORDS.get(crate, []),
        "license": {"Oldwood": "MIT/Apache-2.0", "dogwood": None, "fir": "non-standard"}.get(
            crate, "MIT OR Apache-2.0"
        ),
        "links": "birch" if crate == "birch-sys" else None,
        "num": num,
        "num_no_build": num.partition("+")[0],
        "published_by": _publisher(crate, day),
        "repository": f"https://git.example.org/{crate}",
        "rust_version": None if day < "2021-10-21" else "1.56" if day < "2024" else "1.70.0",
        "tar_sha256": tar,
        "updated_at": _at(later[1:], time(18, 54, 31)) if later else _at(day),
        "yanked": later is not None and later[0] == "-",
        "zip_json_sha256": hashlib.sha256(tar + b"json").digest() if zipped else None,
        "zip_sha256": hashlib.sha256(tar + b"zip").digest() if zipped else None,
    }


def _publisher(crate: str, day: str) -> int | None:
    """The last user who became an owner by then; unknown for old versions and for trusted publishing."""
    owners = [owner for name, owner, since, _ in OWNERS if name == crate and isinstance(owner, int) and since <= day]
    return None if day < "2015-02" or crate == "juniper-tree" else owners[-1]


def _crate(name: str, versions: list[dict]) -> dict:
    newest = _default(versions)
    return {
        "created_at": versions[0]["created_at"],
        "description": newest["description"],
        "documentation": None,
        "homepage": newest["homepage"],
        "id": CRATES[name],
        "max_features": 500 if name == "alder" else None,
        "max_upload_size": 20 << 20 if name == "birch-sys" else None,
        "name": name,
        "readme": {"alder": README, "cedar": "", "dogwood": None}.get(name, f"# {name}\n"),
        "repository": newest["repository"],
        "trustpub_only": name == "juniper-tree",
        "updated_at": max(v["updated_at"] for v in versions),
    }


def _default(versions: list[dict]) -> dict:
    return max(versions, key=lambda v: (not v["yanked"], "-" not in v["num"], *_rank(v["num_no_build"]), v["id"]))


def _rank(num: str) -> tuple[int, ...]:
    """The sort key of the versions above, for which full semver rules are not needed."""
    return tuple(int(part) for part in num.partition("-")[0].split("."))


def _dependencies(versions: list[dict]) -> Iterator[dict]:
    """The dependencies of each version: those declared for it or for an earlier version, unless declared again."""
    ids = count(1001)
    for version in versions:
        declared: dict[tuple, dict] = {}
        for crate, since, dependency, req, differs in DEPENDENCIES:
            if version["crate_id"] == CRATES[crate] and _rank(since) <= _rank(version["num_no_build"]):
                kind = KINDS[differs.get("kind", "normal")]
                defaults = {"default_features": True, "explicit_name": None, "features": [], "optional": False}
                row = {"target": None, **defaults, **differs, "req": req, "crate_id": CRATES[dependency], "kind": kind}
                declared[dependency, kind, row["explicit_name"] == "cedar_old"] = row
        yield from ({**row, "id": next(ids), "version_id": version["id"]} for row in declared.values())


def _daily_downloads(versions: list[dict]) -> list[dict]:
    """The 90 days until that of the dump, which is incomplete; days without downloads have no row."""
    today = date.fromisoformat(SMALL_AT[:10])
    names = {i: name for name, i in CRATES.items()}
    rows = []
    for version in versions:
        usual = COUNTED.get(f"{names[version['crate_id']]} {version['num']}", 0)
        first = max(version["created_at"].date(), today - timedelta(days=89))
        for day in (first + timedelta(days=n) for n in range((today - first).days + 1)):
            downloads = usual // (10 if day == today else 2 if day.weekday() > 4 else 1) - day.day % 7
            if usual and downloads > 0:
                rows.append({"date": day, "downloads": downloads, "version_id": version["id"]})
    return rows


def _numbered(by_crate: dict[str, list[str]]) -> dict[str, int]:
    return {label: i for i, label in enumerate(dict.fromkeys(x for of in by_crate.values() for x in of), start=1)}


def _links(by_crate: dict[str, list[str]], ids: dict[str, int], column: str) -> list[dict]:
    return [{column: ids[label], "crate_id": CRATES[crate]} for crate, of in by_crate.items() for label in of]


def _counted(ids: dict[str, int], by_crate: dict[str, list[str]]) -> Iterable[tuple[str, dict]]:
    for label, id_ in ids.items():
        cnt = sum(label in of for of in by_crate.values())
        yield label, {"id": id_, "crates_cnt": cnt, "created_at": _at("2017-01-17", time(19, 13, 5))}


def _labels() -> Dump:
    categories, keywords = _numbered(CATEGORIES), _numbered(KEYWORDS)
    return {
        "categories": [
            {
                **facts,
                "slug": slug,
                "category": slug.replace("-", " ").replace("::", ", ").capitalize(),
                "description": f"Crates for {slug}, and more",
                "path": "root." + slug.replace("-", "_").replace("::", "."),
            }
            for slug, facts in _counted(categories, CATEGORIES)
        ],
        "keywords": [{**facts, "keyword": word} for word, facts in _counted(keywords, KEYWORDS)],
        "crates_categories": _links(CATEGORIES, categories, "category_id"),
        "crates_keywords": _links(KEYWORDS, keywords, "keyword_id"),
    }


def _people() -> Dump:
    users = [
        {
            "created_at": created_at,
            "gh_id": -1 if login.startswith("ghost") else 5000 + id_,
            "gh_login": login,
            "id": id_,
            "name": name,
            "username": login.lower(),
        }
        for id_, (login, name, created_at) in USERS.items()
    ]
    avatar = "https://avatars.example.org/t/1?v=4"
    known = [user for user in users if user["gh_id"] > 0]
    return {
        "users": users,
        "oauth_github": [
            {
                "account_id": user["gh_id"],
                "avatar": None if user["id"] == 4 else avatar,
                "login": user["gh_login"],
                "user_id": user["id"],
            }
            for user in known
        ],
        "teams": [
            {"avatar": avatar, "github_id": 77, "id": 1, "login": "github:grove:keepers", "name": None, "org_id": 7}
        ],
        "crate_owners": [
            {
                "crate_id": CRATES[crate],
                "created_at": _at(day),
                "created_by": added_by,
                "owner_id": 1 if owner == "team" else owner,
                "owner_kind": int(owner == "team"),
            }
            for crate, owner, day, added_by in OWNERS
        ],
    }


def _deleted(name: str, created_at: str, deleted_at: str, message: str) -> dict:
    deleted = datetime.fromisoformat(deleted_at)
    return {
        "available_at": deleted + timedelta(days=1),
        "created_at": datetime.fromisoformat(created_at),
        "deleted_at": deleted,
        "deleted_by": 5,
        "id": 1,
        "message": message,
        "name": name,
    }
