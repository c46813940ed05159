"""`make` passes what a user types to the command as it is: neither make nor a shell reads it again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resources.common.settings import PROJECT

# prints its arguments and data folder instead of running
STAND_IN = f"""#!{sys.executable}
import json, os, sys
print(json.dumps([*sys.argv[1:], os.environ["CRATES_DATA"]]))
"""
HOSTILE = (
    'x"; touch ran; echo "',
    "$(touch ran)",
    "`touch ran`",
    "'; touch ran; '",
    "$(shell touch ran)",
    "$$(touch ran)",
    "a\\b $HOME ${HOME} #",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile and an environment that is set up already."""
    shutil.copy(PROJECT / "Makefile", tmp_path)
    for lock in PROJECT.glob("requirements*.lock"):
        (tmp_path / lock.name).touch()
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "build_model_runtime.py").touch()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for stamp in ("ready", "dev-ready", "model-ready"):
        (tmp_path / ".venv" / stamp).touch()
    command = tmp_path / ".venv" / "bin" / "crates"
    command.write_text(STAND_IN)
    command.chmod(0o755)
    return tmp_path


def make(checkout: Path, *arguments: str, **environment: str) -> list[str]:
    """What the command receives."""
    typed = ("CRATES_DATA", "NAME", "Q", "MODEL", "PORT", "SCALES", "MAKEFLAGS", "MAKELEVEL")
    clean = {name: value for name, value in os.environ.items() if name not in typed}
    done = subprocess.run(
        ["make", *arguments], cwd=checkout, env={**clean, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (checkout / "ran").exists()
    return json.loads(done.stdout)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    ("target", "name", "before"),
    [
        ("crate", "NAME", ["show", "--"]),
        ("sql", "Q", ["sql", "--"]),
        ("ui", "PORT", ["ui", "--port"]),
        ("demo", "MODEL", ["demo", "--model"]),
        ("model", "MODEL", ["model", "fetch", "--"]),
        ("bench-full", "SCALES", ["bench", "full", "--scales"]),
    ],
)
def test_value_is_not_read_by_a_shell(checkout: Path, target: str, name: str, before: list[str], value: str) -> None:
    expected = [*before, value, str(checkout / "data")]
    assert make(checkout, target, f"{name}={value}") == expected
    assert make(checkout, target, **{name: value}) == expected


@pytest.mark.parametrize("folder", HOSTILE)
def test_data_folder_is_not_read_by_a_shell(checkout: Path, folder: str) -> None:
    assert make(checkout, "sql", CRATES_DATA=folder) == ["sql", folder]


def test_several_models_are_several_options(checkout: Path) -> None:
    found = make(checkout, "bench-enrichment", "MODEL=a * $(touch ran)")
    assert found[:-1] == [
        "bench",
        "enrichment",
        "--model",
        "a",
        "--model",
        "*",
        "--model",
        "$(touch",
        "--model",
        "ran)",
    ]


@pytest.mark.parametrize("target", ["demo", "refresh", "backtest", "ui", "sql"])
def test_target_without_a_value_is_the_command_alone(checkout: Path, target: str) -> None:
    assert make(checkout, target) == [target, str(checkout / "data")]
