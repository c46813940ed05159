"""Fixtures of all tests: one whole run of the pipeline for the session, and small registries of real crates."""

import fcntl
import functools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from pipeline_defs.instance import open_instance
from resources.cache import close_caches
from resources.common.settings import Settings
from resources.language_model import text_embedding
from resources.tracking import _create_store
from testing.advisory_database import adds, row, write_repository
from testing.demo_run import Demo, read_demo, run_demo
from testing.dumps import SMALL_AT, small_dump, zip_bytes
from testing.live_source import live_resources, load
from testing.registries import SAMPLE, draw_registry

os.environ["DO_NOT_TRACK"] = "true"

Build = Callable[[Path], None]

# the files that take longest: they start first, so that no test process is idle at the end
LONG = (
    "test_end_to_end.py",
    "test_ui.py",
    "test_refresh.py",
    "test_crash_safe.py",
    "test_jobs.py",
    "test_publication_faults.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.name, len(LONG)))
    for item in items:
        function = getattr(item, "obj", None)
        if getattr(function, "is_hypothesis_test", False) or "fuzz" in item.name:
            item.add_marker(pytest.mark.fuzz)
        if item.path.parent.name == "cache":
            item.add_marker(pytest.mark.timeout(60))


@pytest.fixture(autouse=True)
def process_is_as_before() -> Iterator[None]:
    """A process has one installation; here each test has its own: its cache is closed and its environment forgotten."""
    environment = dict(os.environ)
    yield
    close_caches()
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Build], Path]:
    """Returns a folder by its name: the first test process that asks for it builds it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def find_or_build(name: str, build: Build) -> Path:
        folder, complete = shared / name, shared / f"{name}.complete"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                build(folder)
                complete.touch()
        return folder

    return find_or_build


@pytest.fixture(scope="session")
def closed_registry(built_once: Callable[[str, Build], Path]) -> Path:
    """4,000 real crates and all that they build on: enough to train every target on."""
    return built_once("closed-registry", lambda folder: draw_registry(SAMPLE, folder, one_in=40))


@pytest.fixture(scope="session")
def small_registry(built_once: Callable[[str, Build], Path]) -> Path:
    """1,500 real crates with few versions and dependencies: it loads in a second."""
    return built_once("small-registry", lambda folder: draw_registry(SAMPLE, folder, one_in=10, without="serde"))


@pytest.fixture(scope="session")
def demo(built_once: Callable[[str, Build], Path], closed_registry: Path) -> Demo:
    """`crates demo` as a user runs it, on the closed registry, while others query: the one whole run of the session."""
    return read_demo(built_once("demo", lambda folder: run_demo(folder, closed_registry)), closed_registry)


@pytest.fixture(scope="session")
def whole_demo(built_once: Callable[[str, Build], Path]) -> Demo:
    """`crates demo` on the whole bundled registry: for tests that are marked `slow`."""
    return read_demo(built_once("whole-demo", lambda folder: run_demo(folder, SAMPLE)), SAMPLE)


@pytest.fixture(scope="session")
def empty_installation(built_once: Callable[[str, Build], Path]) -> Path:
    """A data folder with the empty databases of Dagster and MLflow, which take seconds to create; tests copy it."""

    def build(folder: Path) -> None:
        settings = replace(Settings.from_env(), data=folder)
        with open_instance(settings):
            _create_store(settings.mlflow)

    return built_once("empty-installation", build)


@pytest.fixture
def settings(tmp_path: Path, small_registry: Path, empty_installation: Path) -> Settings:
    """A fresh installation on the small registry."""
    data = shutil.copytree(empty_installation, tmp_path / "data")
    return replace(Settings.from_env(), data=data, registry=small_registry, threads=2)


@pytest.fixture(scope="session", autouse=True)
def vectors_are_computed_once() -> None:
    """Without a model's cache each test that classifies texts would embed the same 600 descriptions of classes."""
    text_embedding._vector = functools.cache(text_embedding._vector)


@pytest.fixture(scope="session")
def one_advisory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest advisory database."""
    told = adds([row("RUSTSEC-2021-0001", "alder", patched=[">= 1.2.0"])], datetime(2021, 2, 1))
    return write_repository(tmp_path_factory.mktemp("advisories") / "db", [told])


@pytest.fixture(scope="session")
def loaded_dump(tmp_path_factory: pytest.TempPathFactory, one_advisory: Path) -> Path:
    """The data folder of an installation that has loaded the small dump. The dump is next to it. Read or copy it."""
    folder = tmp_path_factory.mktemp("dump")
    (folder / "dump.zip").write_bytes(zip_bytes(small_dump(), "2026-08", SMALL_AT))
    load(live_resources(folder / "data", folder / "dump.zip", one_advisory))
    return folder / "data"
