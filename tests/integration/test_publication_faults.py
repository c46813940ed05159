"""A process that dies while it publishes a table, or whose disk refuses a change, leaves every table and the catalog
complete: as before or as after. The next run ends with the bytes of an undisturbed one."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from test_leak_proof import past_and_future

from assets.schemas import TABLES
from testing.crash_points import KILLED, Attempt, run_in_process
from testing.published import State, published
from testing.registries import from_rows, write_registry
from testing.table_builds import build, bundled_resources

SNAPSHOT = "2020-07-20"


def publish_crates(data: Path, registry: Path) -> None:
    """Publishes `crates`, and `rejected_crates` in the middle of it, and the catalog, as the asset does."""
    resources = bundled_resources(data, registry)
    build("crates", SNAPSHOT, resources)
    resources.catalog.rebuild(resources.store, TABLES)


def count_catalog_rows(data: Path) -> dict[str, int]:
    """The number of rows that each view of the catalog returns."""
    with duckdb.connect(str(data / "catalog.duckdb"), read_only=True) as con:
        names = [name for (name,) in con.execute("select view_name from duckdb_views() where not internal").fetchall()]
        return {name: len(con.execute(f"from {name}").fetchall()) for name in names}


@dataclass(frozen=True)
class World:
    """An installation, a registry with one crate more than it has published, and an undisturbed run on it."""

    data: Path
    registry: Path
    before: State
    after: State
    rows_before: dict[str, int]
    rows_after: dict[str, int]
    steps: list[str]

    def publish(self, data: Path, at: int | None = None, fault: str = "kill") -> Attempt:
        watched = (data / "warehouse", data / "catalog.")
        return run_in_process(publish_crates, data, self.registry, watched=watched, at=at, fault=fault)

    def check(self, data: Path, step: str) -> None:
        """Every table is as before or as after, whatever the other tables are."""
        now = published(data)
        assert now.keys() == self.after.keys(), step
        assert [k for k in now if now[k] not in (self.before[k], self.after[k])] == [], step
        rows = count_catalog_rows(data)
        assert rows.keys() == self.rows_after.keys(), step
        assert [t for t in rows if rows[t] not in (self.rows_before[t], self.rows_after[t])] == [], step


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    past, future = past_and_future()
    data, registry = folder / "data", folder / "registry"
    write_registry(registry, from_rows(past))
    resources = bundled_resources(data, registry)
    for table in ("snapshots", "crates"):
        build(table, SNAPSHOT, resources)
    resources.catalog.rebuild(resources.store, TABLES)
    write_registry(registry, from_rows(future))
    build("snapshots", SNAPSHOT, resources)
    before, rows_before = published(data), count_catalog_rows(data)
    undisturbed = shutil.copytree(data, folder / "undisturbed")
    found = World(data, registry, before, {}, rows_before, {}, [])
    run = found.publish(undisturbed)
    assert (run.exit_code, run.error) == (0, None)
    return World(
        data, registry, before, published(undisturbed), rows_before, count_catalog_rows(undisturbed), run.steps
    )


def test_the_steps_are_those_of_two_tables_and_the_catalog(world: World) -> None:
    changed = {name for name in world.before if world.before[name] != world.after[name]}
    assert changed == {f"crates/{SNAPSHOT}"}
    assert world.rows_after["crates"] == world.rows_before["crates"] + 1
    renamed = [step for step in world.steps if step.startswith("os.rename")]
    assert len(renamed) == 5, renamed  # of each table the rows and the pointer, and the catalog
    assert sum(step.startswith("fsync") for step in world.steps) == 4


def test_killed_at_any_step_the_next_run_completes(world: World, tmp_path: Path) -> None:
    for at, step in enumerate(world.steps):
        data = shutil.copytree(world.data, tmp_path / str(at))
        assert world.publish(data, at).exit_code == KILLED, step
        world.check(data, step)
        assert world.publish(data).exit_code == 0, step
        assert published(data) == world.after, step
        assert count_catalog_rows(data) == world.rows_after, step
        assert [p for p in (data / "warehouse").rglob(".*") if p.is_file()] == [], step
        shutil.rmtree(data)


def test_refused_at_any_step_the_run_reports_it_and_leaves_nothing(world: World, tmp_path: Path) -> None:
    reported = 0
    for at, step in enumerate(world.steps):
        data = shutil.copytree(world.data, tmp_path / str(at))
        run = world.publish(data, at, "refuse")
        world.check(data, step)
        if run.error:
            assert run.error.startswith("CannotWrite: cannot write "), f"{step}: {run.error}"
            assert "Input/output error" in run.error, f"{step}: {run.error}"
            reported += 1
        else:
            # a folder that exists already, or a leftover that the next run removes: nothing is lost
            assert step.startswith(("os.mkdir", "os.remove")), step
            assert published(data) == world.after, step
        assert [p for p in (data / "warehouse").rglob(".*") if p.is_file()] == [], step
        shutil.rmtree(data)
    assert reported > len(world.steps) / 2
