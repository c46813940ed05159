"""Jobs and schedules as the daemon runs them: ranges as one run, the daily job, what a schedule asks for."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from dagster import (
    AssetCheckSeverity,
    AssetKey,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    Definitions,
    RunRequest,
    SkipReason,
    build_run_status_sensor_context,
    build_schedule_context,
)

from cli.runs import QUIET
from pipeline_defs.build import build_defs, build_resources
from pipeline_defs.instance import PROCESS_TAG, open_instance, register_dates
from pipeline_defs.schedules import daily_enrichment, daily_labels, daily_snapshot, weekly_training
from pipeline_defs.sensors import score_loaded_snapshot
from resources.common.settings import Settings
from testing.demo_run import Demo
from testing.published import published
from testing.registries import from_rows, write_registry
from testing.table_builds import build, build_registry, bundled_resources

RANGE = {
    "dagster/asset_partition_range_start": "2019-11-11",
    "dagster/asset_partition_range_end": "2020-07-20",
}


@pytest.fixture
def project(settings: Settings) -> Iterator[tuple[Definitions, DagsterInstance]]:
    with open_instance(settings) as instance:
        yield build_defs(settings), instance


def test_range_of_dates_is_one_run(settings: Settings, project: tuple[Definitions, DagsterInstance]) -> None:
    """A backfill of all registered dates: one run, each date with numbers of its own."""
    defs, instance = project
    build_registry(bundled_resources(settings.data, settings.registry))
    register_dates(instance, ["2020-07-20", "2019-11-11"])
    compute = defs.resolve_job_def("compute_features")
    result = compute.execute_in_process(instance=instance, tags=RANGE, run_config=QUIET)
    assert result.success
    events = [e for e in result.get_asset_materialization_events() if e.asset_key == AssetKey("features")]
    rows = {e.partition or "": e.materialization.metadata["dagster/row_count"].value for e in events}
    assert sorted(rows) == ["2019-11-11", "2020-07-20"]
    assert len(set(rows.values())) > 1


def test_score_snapshot_takes_a_loaded_snapshot_to_scores(demo: Demo, tmp_path: Path) -> None:
    """With the models of the demo, in a copy of its folder without the tables that the job makes."""
    settings = replace(demo.settings, data=shutil.copytree(demo.settings.data, tmp_path / "data"))
    made = ("features/as_of=2020-07-20", "predictions", "scores", "drift")
    for folder in made:
        shutil.rmtree(settings.warehouse / folder)
    with open_instance(settings) as instance:
        job = build_defs(settings).resolve_job_def("score_snapshot")
        result = job.execute_in_process(instance=instance, partition_key="2020-07-20", run_config=QUIET)
    assert result.success
    checks = result.get_asset_check_evaluations()
    assert {check.asset_key.to_user_string() for check in checks} >= {"features", "predictions", "scores", "drift"}
    errors = [check for check in checks if check.severity == AssetCheckSeverity.ERROR and not check.passed]
    assert errors == []
    assert "no_retraining_needed" in {check.check_name for check in checks}
    after, expected = published(settings.data), published(demo.settings.data)
    assert {key: after[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("tags", "requested"),
    [
        ({"dagster/partition": "2020-07-20"}, True),
        ({"dagster/partition": "2020-07-01"}, False),
        ({"dagster/partition": "2020-07-20", PROCESS_TAG: "7-1@host"}, False),
    ],
    ids=["newest snapshot", "older snapshot", "loaded by a command line"],
)
def test_newest_snapshot_is_scored_once_it_is_loaded(
    settings: Settings, tmp_path: Path, tags: dict[str, str], requested: bool
) -> None:
    resources = build_resources(settings)
    build("snapshots", "2020-07-20", resources)
    run = DagsterRun(job_name="load_snapshot", run_id="00000000-0000-0000-0000-000000000001", tags=tags)
    with open_instance(settings) as instance:
        event = DagsterEvent(DagsterEventType.RUN_SUCCESS.value, "load_snapshot")
        context = build_run_status_sensor_context("score_loaded_snapshot", event, instance, run)
        answer = score_loaded_snapshot(context, store=resources.store)
        assert instance.get_dynamic_partitions("dates") == (["2020-07-20"] if requested else [])
    assert isinstance(answer, RunRequest) == requested
    if isinstance(answer, RunRequest):
        assert answer.partition_key == "2020-07-20"


def test_daily_schedule_asks_for_the_newest_snapshot_once(settings: Settings, tmp_path: Path) -> None:
    source = build_resources(settings).source
    with open_instance(settings) as instance:
        contexts = [build_schedule_context(instance=instance, resources={"source": source}) for _ in range(2)]
        first, second = (daily_snapshot(context) for context in contexts)
        assert instance.get_dynamic_partitions("snapshots") == ["2020-07-20"]
    assert isinstance(first, RunRequest)
    assert isinstance(second, RunRequest)
    assert first.partition_key == "2020-07-20"
    assert first.run_key == second.run_key  # Dagster runs a key once
    gone = build_resources(replace(settings, registry=tmp_path / "nowhere")).source
    skipped = daily_snapshot(build_schedule_context(resources={"source": gone}))
    assert isinstance(skipped, SkipReason)
    assert "manifest.json is missing" in (skipped.skip_message or "")


def test_labels_are_made_anew_once_their_horizon_has_passed(tmp_path: Path) -> None:
    """Labels of 2020-06-01 by a snapshot of July cannot be known; by one of August some can."""
    published = [{"name": "alpha", "num": "1.0.0", "position": 0, "published_at": datetime(2020, 1, 1)}]
    facts = from_rows({"versions": [{**v, "published_at_exact": True} for v in published]})
    resources = bundled_resources(tmp_path / "data", tmp_path / "registry")
    context = build_schedule_context(resources={"store": resources.store, "sessions": resources.sessions})
    assert isinstance(daily_labels(context), SkipReason)
    write_registry(tmp_path / "registry", facts, "2020-07-01T00:00:00")
    build_registry(resources, "2020-07-01")
    build("features", "2020-06-01", resources)
    build("labels", "2020-06-01", resources)
    assert isinstance(daily_labels(context), SkipReason)
    write_registry(tmp_path / "registry", facts, "2020-08-01T00:00:00")
    build_registry(resources, "2020-08-01")
    requests = daily_labels(context)
    assert isinstance(requests, list)
    assert [request.partition_key for request in requests] == ["2020-06-01"]
    build("labels", "2020-06-01", resources)
    assert isinstance(daily_labels(context), SkipReason)


def test_daily_enrichment_is_one_run_of_all_shards() -> None:
    request = daily_enrichment(build_schedule_context())
    assert isinstance(request, RunRequest)
    assert {"dagster/asset_partition_range_start": "0", "dagster/asset_partition_range_end": "f"}.items() <= (
        request.tags.items()
    )


def test_weekly_schedule_trains() -> None:
    assert isinstance(weekly_training(build_schedule_context()), RunRequest)
    assert weekly_training.job_name == "train_predictor"
