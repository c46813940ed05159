"""What the tests share: one run of the real DAG on the whole bundled registry, and small registries of any facts."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from resources.cache import close_caches
from resources.common.settings import PROJECT, Settings
from testing.advisory_database import adds, row, write_repository
from testing.dumps import SMALL_AT, small_dump, zip_bytes
from testing.live_source import live_resources, load
from testing.registries import SAMPLE, slice_of_sample

os.environ["DO_NOT_TRACK"] = "true"

# the files that take minutes: first, so that neither of two processes ends long before the other
LONG = ("test_crash_safe.py", "test_ui.py", "test_end_to_end.py", "test_refresh.py", "test_leak_proof.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.name, len(LONG)))


@pytest.fixture(autouse=True)
def caches_end() -> Iterator[None]:
    """A process has one installation; here each test has its own, whose files would stay open."""
    yield
    close_caches()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, str]:
    """`make demo` as a user runs it: the settings it ran with, and what it printed. Once for all test processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo"
    folder.mkdir(exist_ok=True)
    printed = folder / "printed"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            command = [sys.executable, "-m", "cli.main", "demo"]
            environment = {**os.environ, "CRATES_DATA": str(folder / "data"), "CRATES_REGISTRY": str(SAMPLE)}
            done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            printed.write_text(done.stdout)
    return replace(Settings.from_env(), data=folder / "data", registry=SAMPLE), printed.read_text()


@pytest.fixture(scope="session")
def small_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of real crates with everything they depend on, in the bundled format."""
    folder = tmp_path_factory.mktemp("small")
    slice_of_sample(folder)
    return folder


@pytest.fixture
def settings(tmp_path: Path, small_registry: Path) -> Settings:
    """A fresh installation on the small registry."""
    return replace(Settings.from_env(), data=tmp_path / "data", registry=small_registry, threads=2)


@pytest.fixture(scope="session")
def one_advisory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest advisory database."""
    told = adds([row("RUSTSEC-2021-0001", "alder", patched=[">= 1.2.0"])], datetime(2021, 2, 1))
    return write_repository(tmp_path_factory.mktemp("advisories") / "db", [told])


@pytest.fixture(scope="session")
def loaded_dump(tmp_path_factory: pytest.TempPathFactory, one_advisory: Path) -> Path:
    """The data folder of an installation that has loaded the small dump; the dump lies beside it. To read, or copy."""
    folder = tmp_path_factory.mktemp("dump")
    (folder / "dump.zip").write_bytes(zip_bytes(small_dump(), "2026-08", SMALL_AT))
    load(live_resources(folder / "data", folder / "dump.zip", one_advisory))
    return folder / "data"
