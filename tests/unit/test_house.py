"""The asset graph, import rules, and documents that are generated from code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assets.schemas import TABLES
from pipeline_defs.definitions import defs
from resources.common.settings import PROJECT

GRAPH = Path(__file__).parents[1] / "data" / "graph.json"
HEAVY = ("mlflow", "sklearn", "pandas", "llama_cpp", "scipy", "matplotlib")


def graph() -> dict:
    """The graph as JSON: keys, dependencies, partitions, checks, jobs, schedules, sensors."""
    layer = defs.resolve_asset_graph()
    assets = {
        key.to_user_string(): {
            "group": layer.get(key).group_name,
            "kinds": sorted(layer.get(key).kinds),
            "deps": sorted(k.to_user_string() for k in layer.get(key).parent_keys),
            "partitions": type(layer.get(key).partitions_def).__name__ if layer.get(key).partitions_def else None,
            "checks": sorted(c.name for c in layer.get(key).check_keys),
        }
        for key in layer.get_all_asset_keys()
    }
    repository = defs.get_repository_def()
    jobs = {
        job.name: sorted(k.to_user_string() for k in job.asset_layer.selected_asset_keys)
        for job in repository.get_all_jobs()
        if not job.name.startswith("__")
    }
    schedules = {s.name: [s.cron_schedule, s.job_name] for s in repository.schedule_defs}
    sensors = {s.name: [s.minimum_interval_seconds, s.job_name] for s in repository.sensor_defs}
    return {
        "assets": dict(sorted(assets.items())),
        "jobs": dict(sorted(jobs.items())),
        "schedules": schedules,
        "sensors": sensors,
    }


def test_graph_is_as_recorded() -> None:
    """Any change of the graph shows in the diff of graph.json: `python -m tests.unit.test_house` updates it."""
    assert graph() == json.loads(GRAPH.read_text())


def test_every_asset_is_described() -> None:
    layer = defs.resolve_asset_graph()
    for key in layer.get_all_asset_keys():
        node = layer.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.group_name != "default", key


def test_definitions_load_nothing_heavy() -> None:
    program = f"import sys, pipeline_defs.definitions; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", TABLES)
def test_documentation_of_tables_is_their_schema(name: str) -> None:
    """docs/tables.md is generated from the schemas: `python -m tools.table_docs` updates it."""
    from tools.table_docs import section

    assert section(TABLES[name]) in (PROJECT / "docs" / "tables.md").read_text()


@pytest.mark.parametrize("name", TABLES)
def test_schema_of_table_is_whole(name: str) -> None:
    table = TABLES[name]
    columns = [c.name for c in table.columns]
    assert len(set(columns)) == len(columns)
    assert all(c.description for c in table.columns)
    assert set(table.key) <= set(columns)
    assert set(table.dates) <= set(columns)
    for reference in table.references:
        assert reference.column in columns
        assert reference.target in [c.name for c in TABLES[reference.table].columns]


def test_predictor_inputs_are_features() -> None:
    from ml.features import COLUMNS, NAMES

    assert set(NAMES) <= set(COLUMNS) <= {c.name for c in TABLES["features"].columns}
    assert len(set(NAMES)) == len(NAMES)


def test_no_registry_address_and_no_path_of_a_machine_in_any_file() -> None:
    words = ["py" + "pi.org", "python" + "hosted", "registry.npm" + "js", "/ro" + "ot/", "/wo" + "rk/"]
    pattern = "|".join(words)
    done = subprocess.run(["git", "grep", "-nIE", pattern], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.stdout == ""


if __name__ == "__main__":
    GRAPH.write_text(json.dumps(graph(), indent=2) + "\n")
