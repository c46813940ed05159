"""What the tests share: one run of the real DAG on the whole bundled registry, and small registries of any facts."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from registries import SAMPLE, slice_of_sample

from resources.settings import PROJECT, Settings

os.environ["DO_NOT_TRACK"] = "true"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, str]:
    """`make demo` as a user runs it: the settings it ran with, and what it printed."""
    data = tmp_path_factory.mktemp("demo") / "data"
    command = [sys.executable, "-m", "pipeline_defs.demo"]
    environment = {**os.environ, "CRATES_DATA": str(data), "CRATES_REGISTRY": str(SAMPLE)}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return replace(Settings.from_env(), data=data, registry=SAMPLE), done.stdout


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
