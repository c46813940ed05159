"""Invalid input gives an error that names the cause and the fix, and leaves earlier tables unchanged."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from cli.errors import CommandFailed
from cli.runs import QUIET, PlannedRun, execute_runs, failure_reason
from pipeline_defs.build import Resources, build_defs
from pipeline_defs.instance import open_instance, register_snapshots
from resources.cache import close_caches
from resources.common.errors import BadInput
from resources.common.settings import PROJECT, Settings
from testing.registries import from_rows, read_facts, write_manifest, write_registry
from testing.table_builds import build, build_registry, bundled_resources

SNAPSHOT = "2020-07-20"


@pytest.fixture
def registry(tmp_path: Path, small_registry: Path) -> Path:
    """A copy of the small registry, which tests may break."""
    return shutil.copytree(small_registry, tmp_path / "registry")


@pytest.fixture(scope="module")
def loaded_data(tmp_path_factory: pytest.TempPathFactory, small_registry: Path) -> Path:
    """The data folder of an installation with registry tables and features; tests copy it."""
    data = tmp_path_factory.mktemp("loaded") / "data"
    resources = bundled_resources(data, small_registry)
    build_registry(resources)
    build("features", SNAPSHOT, resources)
    close_caches()
    return data


@pytest.fixture
def loaded(tmp_path: Path, loaded_data: Path, registry: Path) -> Resources:
    """An installation with registry tables and features."""
    return bundled_resources(shutil.copytree(loaded_data, tmp_path / "data"), registry)


def state(resources: Resources) -> dict[str, list[tuple[str, str]]]:
    """The hashes of all tables."""
    tables = resources.store.tables()
    return {table: [(p.key, p.sha256) for p in partitions] for table, partitions in tables.items()}


def change(registry: Path, table: str, edit: Callable[[pa.Table], pa.Table]) -> None:
    """Rewrites a table of the registry and updates the manifest."""
    path = registry / "registry" / f"{table}.parquet"
    pq.write_table(edit(pq.read_table(path)), path)
    manifest = json.loads((registry / "registry" / "manifest.json").read_text())
    write_manifest(registry, manifest["snapshot_at"], manifest["advisories_at"])


def with_row(table: pa.Table, **values: object) -> pa.Table:
    """The table with an additional row: a changed copy of its first row."""
    row = {**table.slice(0, 1).to_pylist()[0], **values}
    return pa.concat_tables([table, pa.Table.from_pylist([row], schema=table.schema)])


def break_file(how: str) -> Callable[[Path], None]:
    def edit(registry: Path) -> None:
        path = registry / "registry" / "versions.parquet"
        data = bytearray(path.read_bytes())
        if how == "missing":
            path.unlink()
        elif how == "truncated":
            path.write_bytes(data[: len(data) // 2])
        else:
            data[len(data) // 2] ^= 1
            path.write_bytes(data)

    return edit


def retype(registry: Path) -> None:
    change(registry, "versions", lambda t: t.set_column(2, "position", t["position"].cast(pa.int64())))


def write_text(name: str, text: str) -> Callable[[Path], None]:
    def edit(registry: Path) -> None:
        (registry / name).write_text(text)

    return edit


def date_snapshot(at: str) -> Callable[[Path], None]:
    return lambda registry: write_manifest(registry, at)


SOURCES: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing file": (break_file("missing"), r"versions\.parquet is missing: restore it"),
    "truncated file": (break_file("truncated"), r"versions\.parquet is truncated or corrupt .*restore it"),
    "flipped bit": (break_file("bit"), r"versions\.parquet is truncated or corrupt .*restore it"),
    "missing column": (
        lambda r: change(r, "versions", lambda t: t.drop_columns(["published_at"])),
        r"versions\.parquet: column published_at is missing \(found name, num",
    ),
    "wrong type": (retype, r"versions\.parquet: column position is int64, expected int32"),
    "no manifest": (lambda r: (r / "registry" / "manifest.json").unlink(), r"manifest\.json is missing: restore it"),
    "changed text": (write_text("descriptions.csv", "name,description"), r"descriptions\.csv is truncated or corrupt"),
    "invalid manifest": (write_text("registry/manifest.json", "{"), r"manifest\.json is invalid"),
    "manifest without a date": (
        write_text("registry/manifest.json", "{}"),
        r"manifest\.json is invalid.*snapshot_at",
    ),
    "another snapshot": (date_snapshot("2020-07-19T00:00:00"), r"is the snapshot of 2020-07-19, not of 2020-07-20"),
    "every dependency kind unknown": (
        lambda r: change(
            r, "dependencies", lambda t: t.set_column(4, "kind", pa.array(["bulid"] * len(t), pa.string()))
        ),
        r'rows break a contract, such as: kind: "bulid" is not one of normal, build, dev\. .*fix it and run again',
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_broken_source_is_rejected_and_tables_are_unchanged(name: str, loaded: Resources, registry: Path) -> None:
    corrupt, message = SOURCES[name]
    before = state(loaded)
    corrupt(registry)
    with pytest.raises(BadInput, match=message):
        build_registry(loaded)
        build("dependencies", SNAPSHOT, loaded)
    del before["snapshots"]  # is published before the rows are read
    assert {table: partitions for table, partitions in state(loaded).items() if table in before} == before


def test_snapshot_in_the_future_is_rejected(loaded: Resources, registry: Path) -> None:
    future = datetime.now() + timedelta(days=3)
    write_manifest(registry, future.isoformat())
    with pytest.raises(BadInput, match="is in the future: check the clock"):
        build("snapshots", future.date().isoformat(), loaded)


ROWS = {
    "impossible version": ("versions", {"num": "1.2"}, 'num: "1.2" is not a version'),
    "version number too large": ("versions", {"num": f"{2**64}.0.0"}, "is not a version"),
    "duplicate version": ("versions", {}, "appears more than once"),
    "invalid name": ("versions", {"name": "Bad Name!"}, '"Bad Name!" was rejected as a crate'),
    "date in the future": (
        "versions",
        {"num": "77.0.0", "published_at": datetime(2020, 8, 1)},
        "is after the snapshot",
    ),
    "unknown dependency kind": ("dependencies", {"kind": "peer"}, 'kind: "peer" is not one of normal, build, dev'),
    "dependency on a missing crate": (
        "dependencies",
        {"dependency": "no-such-crate"},
        "is not a crate of the registry",
    ),
    "yank of a missing version": ("yanks", {"num": "99.9.9"}, "is not a version of the registry"),
    "advisory without commit time": ("advisories", {"id": "RUSTSEC-X", "known_at": None}, "known_at: is missing"),
    "unknown advisory kind": ("advisories", {"id": "RUSTSEC-X", "informational": "odd"}, "is not one of unmaintained"),
}


@pytest.mark.parametrize("name", ROWS)
def test_invalid_row_goes_to_quarantine_with_its_reason(
    name: str, loaded: Resources, tmp_path: Path, registry: Path
) -> None:
    table, values, reason = ROWS[name]
    change(registry, table, lambda t: with_row(t, **values))
    changed = bundled_resources(tmp_path / "changed", registry)
    build_registry(changed)
    build("texts", SNAPSHOT, changed)
    assert state(changed)[table] == state(loaded)[table]
    rows = build("quarantine", SNAPSHOT, changed).rows.to_pylist()
    assert any(r["table_name"] == table and reason in r["reason"] and json.loads(r["source_row"]) for r in rows), rows


AS_OF = {
    "before the first version": ("2014-01-01", r"as-of date 2014-01-01 is before the first version"),
    "not a date": ("yesterday", r"'yesterday' is not a date: write it as 2020-07-20"),
    "inside a gap": (
        "2020-01-15",
        r"does not know exactly which versions existed between 2019-11-10 .* and 2020-03-25",
    ),
    "after the newest snapshot": ("2020-07-21", r"after the newest snapshot \(2020-07-20\): materialize the registry"),
}


@pytest.mark.parametrize("name", AS_OF)
@pytest.mark.parametrize("table", ["features", "labels"])
def test_as_of_date_outside_the_data_is_rejected(name: str, table: str, loaded: Resources) -> None:
    as_of, message = AS_OF[name]
    before = state(loaded)
    with pytest.raises(BadInput, match=message):
        build(table, as_of, loaded)
    assert state(loaded) == before


def test_features_without_a_snapshot_name_the_missing_step(tmp_path: Path, registry: Path) -> None:
    with pytest.raises(BadInput, match=r"newest snapshot \(none\): materialize the registry tables"):
        build("features", SNAPSHOT, bundled_resources(tmp_path / "data", registry))


def test_tables_of_different_source_states_are_not_joined(loaded: Resources, registry: Path) -> None:
    """Ids are valid within one load, so a snapshot is rejected if only some of its tables were loaded again."""
    change(registry, "versions", lambda t: with_row(t, num="77.0.0"))
    build("crates", SNAPSHOT, loaded)
    with pytest.raises(
        BadInput, match=r"loaded from different states of the source, .* run load_snapshot for it again"
    ):
        build("features", SNAPSHOT, loaded)
    with pytest.raises(BadInput, match="versions 2020-07-20 was loaded from a different state of the source"):
        build("dependencies", SNAPSHOT, loaded)


def test_invalid_number_of_threads_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRATES_THREADS", "two")
    with pytest.raises(BadInput, match="CRATES_THREADS='two', expected an integer of at least 1"):
        Settings.from_env()


def test_truncated_table_is_detected(loaded: Resources) -> None:
    path = loaded.store.require("versions", SNAPSHOT).path
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInput, match=r"is missing or truncated: materialize versions for 2020-07-20 again"):
        build("features", SNAPSHOT, loaded)


def test_lost_rows_fail_the_check_and_prevent_publication(tmp_path: Path, registry: Path) -> None:
    """In a Dagster run, the blocking check fails and later steps do not run."""
    settings = replace(Settings.from_env(), data=tmp_path / "data", registry=registry)
    with open_instance(settings) as instance:
        defs = build_defs(settings)
        register_snapshots(instance, [SNAPSHOT, "2020-07-21"])
        job = defs.resolve_job_def("load_snapshot")
        assert job.execute_in_process(instance=instance, partition_key=SNAPSHOT, run_config=QUIET).success
        before = {
            p.path
            for partitions in bundled_resources(settings.data, registry).store.tables().values()
            for p in partitions
        }
        facts = read_facts(registry)
        facts["versions"] = facts["versions"].slice(0, len(facts["versions"]) // 2)
        advisories_at = json.loads((registry / "registry" / "manifest.json").read_text())["advisories_at"]
        write_registry(registry, facts, "2020-07-21T04:00:00", advisories_at)
        result = job.execute_in_process(
            instance=instance, partition_key="2020-07-21", run_config=QUIET, raise_on_error=False
        )
    assert not result.success
    failed = [e for e in result.get_asset_check_evaluations() if not e.passed]
    assert [(e.asset_key.to_user_string(), e.check_name) for e in failed] == [("crates", "row_count")]
    assert "was not published, and is as it was before: row_count" in failure_reason(result)
    after = {
        p.path for partitions in bundled_resources(settings.data, registry).store.tables().values() for p in partitions
    }
    published = {p.parent.parent.name for p in after - before}
    assert {name for name in published if not name.startswith("rejected_")} == {"snapshots", "advisories"}


def run_demo(data: Path, registry: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "CRATES_DATA": str(data), "CRATES_REGISTRY": str(registry)}
    command = [sys.executable, "-m", "cli.main", "demo"]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def test_data_folder_that_is_not_writable_is_reported(tmp_path: Path, registry: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_demo(tmp_path / "file", registry)
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write")
    assert "Set CRATES_DATA to a folder that can be written" in done.stderr


def test_missing_source_is_reported(tmp_path: Path) -> None:
    done = run_demo(tmp_path / "data", tmp_path / "nowhere")
    assert done.returncode == 1
    assert "manifest.json is missing" in done.stderr


FULL_DISK = """
import shutil
import sys
from io import StringIO
from pathlib import Path
sys.path[:0] = ["tests", "."]
from testing.table_builds import build, bundled_resources
from resources.common.errors import CannotWrite
data, registry = map(Path, sys.argv[1:])
resources = bundled_resources(data, registry)
for table in ("snapshots", "crates"):
    build(table, "2020-07-20", resources)
free = shutil.disk_usage(data).free
(data / "filler").write_bytes(b" " * (free - 4096))  # leaves one block
try:
    build("versions", "2020-07-20", resources)
except CannotWrite as error:
    print(error)
print("tables:", sorted(resources.store.tables()))
print("files:", sorted(p.name for p in (data / "warehouse" / "versions").rglob("*.*")))
"""


def test_full_disk_leaves_the_earlier_tables(tmp_path: Path, registry: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    # mounts a small file system, which the script fills after two tables
    script = 'mount -t tmpfs -o size=4m tmpfs "$1" && exec "$2" -c "$3" "$1" "$4"'
    command = ["unshare", "-rm", "sh", "-c", script, "sh", str(data), sys.executable, FULL_DISK, str(registry)]
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow a test to mount a file system")
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert "No space left on device. Free space there" in done.stdout, done.stdout + done.stderr
    assert "tables: ['crates', 'rejected_crates', 'snapshots']" in done.stdout
    assert "files: []" in done.stdout


@pytest.mark.timeout(180)  # several Dagster runs
def test_too_few_labelled_dates_are_reported(loaded: Resources, tmp_path: Path, registry: Path) -> None:
    settings = replace(Settings.from_env(), data=tmp_path / "data", registry=registry)
    console = Console(file=StringIO())
    for table in ("features", "labels"):
        build(table, "2020-06-07", loaded)
    with open_instance(settings) as instance:
        plan: list[PlannedRun] = [("train_predictor", None)]
        with pytest.raises(CommandFailed, match="training needs an as-of date whose labels over 43 days were known"):
            execute_runs(build_defs(settings), instance, plan, console)


def test_empty_registry_is_rejected(tmp_path: Path) -> None:
    write_registry(tmp_path / "empty", from_rows({}))
    resources = bundled_resources(tmp_path / "data", tmp_path / "empty")
    build_registry(resources)
    with pytest.raises(BadInput, match="is before the first version of the registry"):
        build("features", SNAPSHOT, resources)
