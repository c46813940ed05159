"""Our dependency resolution compared with Cargo's, by published lock files (tests/data/locks/README.md)."""

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from test_cargo import RULE

from assets.features.steps import STEPS, run_step
from assets.point_in_time import attach_registry
from resources.warehouse.session import first_row, set_variables
from testing.registries import SAMPLE, Facts, read_facts, write_registry
from testing.table_builds import build_registry, bundled_resources

LOCKS = {
    path.stem: tomllib.loads(path.read_text())
    for path in sorted((Path(__file__).parents[1] / "data" / "locks").glob("*.lock"))
}
REGISTRY = "registry"  # the placeholder for the registry's URL
UP_TO_REQUIREMENTS, UP_TO_GRAPH = STEPS[:3], STEPS[:4]
# The number of requirements of each lock, and how many of them we resolve to the locked version as of the newest
# publication in the lock. The others resolve to a newer version: the project did not update all of an earlier lock
# (fastobo), or the bundled registry has only an upper bound for the newest publication: 2019-11-10 (maturin 0.7.6,
# mercurial 5.2) or 2020-03-25 (mercurial 5.4.2).
SAME = {
    "fastobo-0.8.2": (207, 201),
    "maturin-0.7.6": (603, 438),
    "maturin-0.8.1": (480, 480),
    "maturin-0.8.2": (493, 493),
    "mercurial-5.2": (71, 56),
    "mercurial-5.4.2": (127, 113),
    "mercurial-chg-5.4.2": (187, 187),
    "mercurial-hgcli-5.4.2": (44, 44),
    "orjson-2.6.8": (73, 73),
    "orjson-3.2.1": (26, 26),
}

Package = tuple[str, str]  # name and version


def packages_of(lock: dict) -> set[Package]:
    """The packages from the registry."""
    return {(p["name"], p["version"]) for p in lock["package"] if p.get("source") == REGISTRY}


def edges_of(lock: dict) -> Iterator[tuple[Package, Package, bool]]:
    """The resolved dependencies of each registry package, and whether the dependency is from the registry too."""
    everything = [(p["name"], p["version"], p.get("source", "").split("#")[0]) for p in lock["package"]]
    for package in lock["package"]:
        for text in package.get("dependencies", []) if package.get("source") == REGISTRY else []:
            # `name`, `name version` or `name version (source)`: as much as is needed to be unique
            words = text.replace("(", "").replace(")", "").split()
            (found,) = [p for p in everything if all(word == part for word, part in zip(words, p))]
            yield (package["name"], package["version"]), found[:2], found[2] == REGISTRY


def facts_on(crates: set[str]) -> Facts:
    """The bundled data of some crates, and the versions of their dependencies."""

    def of(table: str, column: str, names: Iterable[str]) -> pa.Table:
        return facts[table].filter(pc.is_in(facts[table][column], pa.array(sorted(names))))

    facts = read_facts(SAMPLE)
    dependencies = of("dependencies", "name", crates)
    with_dependencies = crates | set(dependencies["dependency"].to_pylist())
    return {
        "versions": of("versions", "name", with_dependencies),
        "dependencies": dependencies,
        "yanks": of("yanks", "name", with_dependencies),
        "advisories": of("advisories", "package", with_dependencies),
    }


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The bundled registry with the crates of the locks, in the views of `features`, and the locks as tables."""
    packages = [(name, *package) for name, lock in LOCKS.items() for package in packages_of(lock)]
    edges = [(name, *of, *on, known) for name, lock in LOCKS.items() for of, on, known in edges_of(lock)]
    folder = tmp_path_factory.mktemp("locks")
    write_registry(folder / "registry", facts_on({name for _, name, _ in packages}))
    resources = bundled_resources(folder / "data", folder / "registry")
    build_registry(resources)
    with resources.sessions.open() as session:
        attach_registry(session, resources.store, "2020-07-20")
        for table, columns, rows in (
            ("locked", ("lock", "name", "num"), packages),
            ("locked_edges", ("lock", "name", "num", "on_name", "on_num", "is_known"), edges),
        ):
            session.register("rows", pa.table(dict(zip(columns, map(list, zip(*rows)), strict=True))))
            session.execute(f"create table {table} as from rows")
        session.execute(f"""
            create table every_version as
            select v.*, c.name from versions as v join crates as c on c.id = v.crate_id;

            -- each edge with its requirements, and whether the locked version matches them
            create table wanted as
            select e.*, o.id as on_id, o.crate_id as on_crate_id, o.version_key, d.req
            from locked_edges as e
            join every_version as v using (name, num)
            join every_version as o on o.name = e.on_name and o.num = e.on_num
            left join dependencies as d on d.version_id = v.id and d.crate_id = o.crate_id and d.kind != 'dev'
            where e.is_known;

            create table required as
            select w.*, coalesce({RULE}, false) as matches
            from wanted as w
            left join cargo_requirement_bounds('wanted') using (req);
        """)
        yield session


def test_registry_has_every_locked_version(con: duckdb.DuckDBPyConnection) -> None:
    assert first_row(con, "select count(*) from locked") == (1127,)
    assert con.sql("from locked anti join every_version using (name, num)").fetchall() == []


def test_every_locked_version_matches_a_requirement(con: duckdb.DuckDBPyConnection) -> None:
    edges = con.sql("""
        select lock, name, num, on_name, on_num, bool_or(matches) as matches from required group by all
    """)
    assert edges.aggregate("count(*), count(*) filter (matches)").fetchall() == [(2304, 2304)]


@pytest.mark.parametrize("lock", LOCKS)
def test_requirements_resolve_to_the_locked_version_or_a_newer_one(con: duckdb.DuckDBPyConnection, lock: str) -> None:
    """Resolved as of the newest publication in the lock."""
    con.execute(f"create or replace temp table mine as from required where matches and lock = '{lock}'")
    newest = "select max(created_at) from locked join every_version using (name, num) where lock = $lock"
    (at,) = first_row(con, newest, {"lock": lock}) or (None,)
    set_variables(con, known_at=at)
    for step in UP_TO_REQUIREMENTS:
        run_step(con, step)
    found = con.sql("""
        select m.*, k.version_key as found_key, k.id as found_id
        from mine as m
        left join resolved_requirements as r on r.crate_id = m.on_crate_id and r.req = m.req
        left join known_versions as k on k.id = r.version_id
    """)
    assert found.filter("found_key is null or found_key < version_key").fetchall() == []
    assert found.aggregate("count(*), count(*) filter (found_id = on_id)").fetchall() == [SAME[lock]]


@pytest.mark.parametrize("lock", LOCKS)
def test_trees_are_subsets_of_the_locks(con: duckdb.DuckDBPyConnection, lock: str) -> None:
    """If only the locked versions exist, each of our edges is one of Cargo's, with the same version."""
    con.execute(f"""
        create or replace temp table versions as
        select v.* exclude (name) from every_version as v join locked using (name, num) where lock = '{lock}'
    """)
    set_variables(con, known_at=(first_row(con, "select max(created_at) from versions") or (None,))[0])
    for step in UP_TO_GRAPH:
        run_step(con, step)
    con.execute("drop table temp.versions")
    ours = con.sql("""
        select k.name, k.num, o.name as on_name, o.num as on_num
        from version_edges as e
        join known_versions as k on k.id = e.dependent_id
        join known_versions as o on o.id = e.version_id
    """)
    cargos = con.sql(f"select name, num, on_name, on_num from locked_edges where lock = '{lock}'")
    assert ours.except_(cargos).fetchall() == []
    assert len(ours) > 0.7 * len(cargos)


def test_required_dependencies_are_locked(con: duckdb.DuckDBPyConnection) -> None:
    """All dependencies that are neither optional nor for development are locked, on any platform.

    The other edges of the locks (1 in 8) are optional dependencies, whose features the bundled registry does not have.
    """
    needs = con.sql("""
        select distinct l.lock, l.name, l.num, c.name as on_name
        from locked as l
        join every_version as v using (name, num)
        join dependencies as d on d.version_id = v.id
        join crates as c on c.id = d.crate_id
        where d.kind != 'dev' and not d.optional
    """)
    edges = con.sql("select distinct lock, name, num, on_name from locked_edges")
    assert needs.except_(edges).fetchall() == []
    assert (len(needs), len(edges)) == (2033, 2305)
    optional = con.sql("""
        select distinct l.lock, l.name, l.num, c.name as on_name
        from locked as l
        join every_version as v using (name, num)
        join dependencies as d on d.version_id = v.id
        join crates as c on c.id = d.crate_id
        where d.kind != 'dev' and d.optional
    """)
    assert edges.except_(needs).except_(optional).fetchall() == []
