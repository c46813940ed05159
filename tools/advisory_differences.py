"""Compares the versions that advisories affect by Cargo's requirements (the warehouse's rule) and by OSV's events.

`python -m tools.advisory_differences` regenerates tests/data/advisory_differences.json: the pairs of advisory and
version on which the two rules differ, by cause.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa

from resources.advisories.git_reader import read_repository
from resources.common.settings import PROJECT
from resources.warehouse.session import Sessions
from testing import semver_reference as semver
from testing.advisory_database import Row, adds, osv_export, osv_zip, padded, sample_rows, text_of, write_repository
from testing.osv_reader import read_osv

LISTED = PROJECT / "tests" / "data" / "advisory_differences.json"

Pairs = set[tuple[str, str]]  # (advisory, version)


def session_of(folder: Path, advisories: list[Row]) -> duckdb.DuckDBPyConnection:
    """A session with the advisories from a git repository (`of_git`) and from an OSV zip (`of_osv`)."""
    con = Sessions(scratch=str(folder), memory="1GB", threads=2).open()
    con.execute((PROJECT / "testing" / "osv_affected.sql").read_text())
    repository = write_repository(folder / "advisories.git", [adds(advisories, datetime(2021, 12, 1))])
    con.register("of_git", read_repository(repository, []))
    con.register("of_osv", read_osv(osv_zip(osv_export(advisory) for advisory in advisories), []).table)
    return con


def affected_by_cargo(con: duckdb.DuckDBPyConnection, versions: str) -> Pairs:
    """The affected versions by the warehouse's query."""
    con.execute(f"""
        create or replace temp table known_versions as
        select
            row_number() over (order by name, num) as id, 0 as crate_id, num,
            lower(replace(name, '-', '_')) as canonical_name,
            cargo_version_key(num) as version_key, cargo_is_prerelease(version_key) as is_prerelease
        from {versions}
    """)
    con.execute("""
        create or replace temp view known_advisories as
        select id, lower(replace(package, '-', '_')) as canonical_name, informational, patched, unaffected
        from of_git
    """)
    con.execute((PROJECT / "assets" / "sql" / "features" / "05_advisories.sql").read_text())
    query = "select advisory_id, num from affected_versions join known_versions as v on v.id = version_id"
    return set(con.execute(query).fetchall())


def affected_by_osv(con: duckdb.DuckDBPyConnection, versions: str) -> Pairs:
    """The affected versions by OSV's rule."""
    return set(con.execute(f"select id, num from osv_affected_versions('of_osv', '{versions}')").fetchall())


def create_version_views(con: duckdb.DuckDBPyConnection, advisories: list[Row]) -> None:
    """Creates the views `real` (versions in the registry) and `adversarial` (versions around those in requirements)."""
    con.execute(f"""
        create or replace view real as select distinct name, num
        from '{PROJECT}/sample/registry/versions.parquet' semi join of_git on package = name
    """)
    around = {(advisory["package"], num) for advisory in advisories for num in versions_around(advisory)}
    con.register("adversarial", pa.table(dict(zip(("name", "num"), zip(*sorted(around))))))


def versions_around(advisory: Row) -> Iterator[str]:
    """Each version in the requirements of an advisory, the releases next to it, and their first pre-releases."""
    for text in advisory["patched"] + advisory["unaffected"]:
        for comparator in semver.parse_requirement(text):
            version = padded(comparator)
            major, minor, patch = version.numbers
            yield from (text_of(version), f"{text_of(version)}+build.1", f"{major}.{minor}.{patch}-rc.1")
            yield from [f"{text_of(version)}.0"] if version.pre else []
            for a, b, c in ((major, minor, patch + 1), (major, minor + 1, 0), (major + 1, 0, 0)):
                yield from (f"{a}.{b}.{c}", f"{a}.{b}.{c}-0")


CAUSES = {
    "pre-release": "a Cargo requirement matches a pre-release only if it has one with the same three numbers; "
    "OSV and RustSec's own tools sort a pre-release before its release",
    "partial": "for Cargo `> 0` starts at 1.0.0, because only the given numbers are compared; "
    "RustSec adds zeros and starts after 0.0.0",
}


def cause_of(advisory: Row, num: str) -> str:
    if semver.parse_version(num).pre:
        return "pre-release"
    parts = [c for text in advisory["patched"] + advisory["unaffected"] for c in semver.parse_requirement(text)]
    assert any(not c.is_full and c.op in (">", "<=", "=") for c in parts), (advisory, num)
    return "partial"


def differences(folder: Path) -> dict[str, dict]:
    """The versions that are affected by Cargo's rule only, by view, cause and advisory."""
    advisories = sample_rows()
    con = session_of(folder, advisories)
    create_version_views(con, advisories)
    by_id = {advisory["id"]: advisory for advisory in advisories}
    found: dict[str, dict] = {"causes": CAUSES}
    for versions in ("real", "adversarial"):
        cargo, osv = affected_by_cargo(con, versions), affected_by_osv(con, versions)
        assert osv <= cargo
        by_cause: dict[str, dict[str, list[str]]] = {}
        for id_, num in sorted(cargo - osv):
            by_cause.setdefault(cause_of(by_id[id_], num), {}).setdefault(id_, []).append(num)
        found[versions] = {c: {i: " ".join(nums) for i, nums in ids.items()} for c, ids in sorted(by_cause.items())}
    return found


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        LISTED.write_text(json.dumps(differences(Path(folder)), indent=1) + "\n")
