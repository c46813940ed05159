"""Files that no import reaches: locks, SQL, typing markers, workflows, hooks."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import duckdb
import pytest
import yaml

from resources.common.settings import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())


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


def imported_modules(path: str) -> set[str]:
    nodes = list(ast.walk(ast.parse((PROJECT / path).read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names


def test_product_imports_only_what_its_lock_installs() -> None:
    packages = PYPROJECT["tool"]["uv"]["build-backend"]["module-name"]
    imported = set().union(*(imported_modules(path) for package in packages for path in tracked(f"{package}/*.py")))
    distributions = packages_distributions()
    product = {pin.split("==")[0] for name in ("requirements.lock", "requirements-model.lock") for pin in pinned(name)}
    unlocked = {
        module
        for module in imported - set(packages)
        if not {name.lower().replace("_", "-") for name in distributions.get(module, [])} & product
    }
    assert unlocked <= {"_typeshed"}, "declare it in `dependencies`"  # _typeshed exists for type checkers only


@pytest.mark.parametrize("path", tracked("*.sql"))
def test_duckdb_parses_sql_file(path: str) -> None:
    assert duckdb.extract_statements((PROJECT / path).read_text())


@pytest.mark.parametrize("package", PYPROJECT["tool"]["uv"]["build-backend"]["module-name"])
def test_shipped_package_is_marked_as_typed(package: str) -> None:
    assert (PROJECT / package / "py.typed").exists()


def steps(workflow: str) -> list[dict]:
    jobs = yaml.safe_load((PROJECT / workflow).read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", tracked(".github/workflows/*.yml"))
def test_workflow_runs_targets_that_exist_and_pins_its_actions(workflow: str) -> None:
    targets = set(re.findall(r"^([\w./-]+):(?!=)", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for step in steps(workflow):
        assert re.fullmatch(r"[\w./-]+@v\d+(\.\d+)*", step["uses"]) if "uses" in step else step["run"]
        for command in re.findall(r"^make (.*)$", step.get("run", ""), re.MULTILINE):
            words = re.sub(r"\$\{\{.*?\}\}", "", command).split("|")[0].split()
            wanted = [word for word in words if "=" not in word]
            assert set(wanted) <= targets, command


def test_pre_commit_hooks_are_tools_of_the_lock_file() -> None:
    for repository in yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]:
        assert repository["repo"] == "local"
        assert {hook["language"] for hook in repository["hooks"]} == {"system"}


@pytest.mark.parametrize("path", [name for name in tracked("*.md") if "golden/crates" not in name])
def test_relative_links_lead_to_files(path: str) -> None:
    document = PROJECT / path
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL))
    relative = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in relative if not (document.parent / link).exists()] == []
