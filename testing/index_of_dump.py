"""Converts a dump to the index files and feeds of crates.io, and applies publications and yanks to a dump."""

import json
from collections.abc import Iterable
from datetime import datetime

from resources.crates_io.sparse_index import index_path
from testing.dumps import Dump

Item = tuple[str, str | None, datetime]  # crate, version (None in the feed of new crates), publication time
KINDS = ("normal", "build", "dev")
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" xmlns:crates="https://crates.io/"><channel>'


def published(dump: Dump, crate: str, num: str, at: datetime, deps: Iterable[tuple[str, str, dict]] = ()) -> Dump:
    """The dump with another version, whose crate may be new. `deps` are crate, requirement and non-default fields.

    Size and edition, which the index does not have, are null.
    """
    crates, versions = list(dump["crates"]), list(dump["versions"])
    ids = {row["name"]: row["id"] for row in crates}
    if crate not in ids:
        ids[crate] = max(ids.values()) + 1
        crates.append({**crates[0], "id": ids[crate], "name": crate, "created_at": at, "updated_at": at})
    version = {
        **versions[-1],
        "id": max(v["id"] for v in versions) + 1,
        "crate_id": ids[crate],
        "num": num,
        "num_no_build": num,
        "created_at": at,
        "updated_at": at,
        "yanked": False,
        "features": {"std": []},
        "links": None,
        "crate_size": None,
        "edition": None,
    }
    versions.append(version)
    defaults = {"default_features": True, "explicit_name": None, "features": [], "kind": 0, "optional": False}
    declared = [
        {**defaults, "target": None, **differs, "crate_id": ids[on], "req": req, "version_id": version["id"]}
        for on, req, differs in deps
    ]
    first = max(d["id"] for d in dump["dependencies"]) + 1
    dependencies = [*dump["dependencies"], *({**d, "id": first + i} for i, d in enumerate(declared))]
    return {**dump, "crates": crates, "versions": versions, "dependencies": dependencies}


def yanked(dump: Dump, crate: str, num: str, at: datetime, undone: bool = False) -> Dump:
    """The dump after a yank or un-yank of a version."""
    (crate_id,) = (row["id"] for row in dump["crates"] if row["name"] == crate)
    changed = {"yanked": not undone, "updated_at": at}
    assert any((v["crate_id"], v["num"], v["yanked"]) == (crate_id, num, undone) for v in dump["versions"])
    versions = [{**v, **changed} if (v["crate_id"], v["num"]) == (crate_id, num) else v for v in dump["versions"]]
    return {**dump, "versions": versions}


def index_files(dump: Dump) -> dict[str, bytes]:
    """The index file of every crate, by path."""
    names = {row["id"]: row["name"] for row in dump["crates"]}
    lines: dict[str, list[str]] = {}
    for version in sorted(dump["versions"], key=lambda v: v["id"]):
        name = names[version["crate_id"]]
        deps = [_dependency(d, names) for d in dump["dependencies"] if d["version_id"] == version["id"]]
        line = {
            **{key: version[key] for key in ("features", "yanked", "links")},
            "name": name,
            "vers": version["num"],
            "deps": deps,
            "cksum": version["tar_sha256"].hex(),
            "pubtime": f"{version['created_at']:%Y-%m-%dT%H:%M:%SZ}",
        }
        lines.setdefault(f"/{index_path(name)}", []).append(json.dumps(line))
    return {path: ("\n".join(of) + "\n").encode() for path, of in lines.items()}


def feeds(dump: Dump, since: datetime) -> dict[str, bytes]:
    """Both feeds with the publications since an instant; each also has the oldest publication of all."""
    names = {row["id"]: row["name"] for row in dump["crates"]}
    versions: list[Item] = [(names[v["crate_id"]], v["num"], v["created_at"]) for v in dump["versions"]]
    crates: list[Item] = [(row["name"], None, row["created_at"]) for row in dump["crates"]]
    return {"/rss/updates.xml": _feed(versions, since), "/rss/crates.xml": _feed(crates, since)}


def _feed(rows: list[Item], since: datetime) -> bytes:
    newest_first = sorted(rows, key=lambda row: row[2], reverse=True)
    shown = [row for row in newest_first if row[2] >= since] + newest_first[-1:]
    return f"{HEAD}{''.join(_item(*row) for row in shown)}</channel></rss>".encode()


def _item(name: str, num: str | None, at: datetime) -> str:
    version = f"<crates:version>{num}</crates:version>" if num else ""
    date = f"{at:%a, %d %b %Y %H:%M:%S} +0000"
    return f"<item><pubDate>{date}</pubDate><crates:name>{name}</crates:name>{version}</item>"


def _dependency(row: dict, names: dict[int, str]) -> dict:
    package = names[row["crate_id"]]
    return {
        **{key: row[key] for key in ("req", "features", "optional", "default_features", "target")},
        "name": row["explicit_name"] or package,
        "kind": KINDS[row["kind"]],
        **({"package": package} if row["explicit_name"] else {}),
    }
