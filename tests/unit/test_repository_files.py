"""Lock files, SQL files, typing markers: files that no import reaches."""

import subprocess

import duckdb
import pytest

from resources.common.settings import PROJECT


def tracked(pattern: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", pattern], cwd=PROJECT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if (PROJECT / name).exists()]


@pytest.mark.parametrize("name", sorted(path.name for path in PROJECT.glob("requirements*.lock")))
def test_lock_file_pins_by_hash(name: str) -> None:
    lines = (PROJECT / name).read_text().splitlines()
    pins = [i for i, line in enumerate(lines) if "==" in line and not line.lstrip().startswith("#")]
    assert pins
    assert all("--hash=sha256:" in lines[i + 1] for i in pins)


def pinned(name: str) -> set[str]:
    lines = (PROJECT / name).read_text().splitlines()
    return {line.removesuffix("\\").strip() for line in lines if "==" in line and not line.lstrip().startswith("#")}


def test_locks_agree_on_every_version() -> None:
    locked = [pinned(name) for name in ("requirements.lock", "requirements-model.lock", "requirements-dev.lock")]
    versions: dict[str, set[str]] = {}
    for pin in set.union(*locked):
        package, version = pin.split(";")[0].split("==")
        versions.setdefault(package, set()).add(version.strip())
    by_python_version = {pin.split("==")[0] for pin in locked[0] if "python_full_version" in pin}
    assert {package for package, found in versions.items() if len(found) > 1} <= by_python_version


def test_product_lock_has_no_test_tool() -> None:
    product = {pin.split("==")[0] for pin in pinned("requirements.lock")}
    tools = {"pytest", "hypothesis", "ruff", "pyright", "playwright", "sqlfluff", "codespell", "coverage", "cashews"}
    assert tools <= {pin.split("==")[0] for pin in pinned("requirements-dev.lock")}
    assert not tools & product


@pytest.mark.parametrize("path", tracked("*.sql"))
def test_duckdb_parses_sql_file(path: str) -> None:
    assert duckdb.extract_statements((PROJECT / path).read_text())
