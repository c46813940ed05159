"""The checks of `enrichments`: each finds what it is for."""

from pathlib import Path

import pyarrow as pa
import pytest
from dagster import AssetCheckResult, AssetCheckSeverity, build_asset_check_context

from assets.enrichment.checks import model_wrote_summaries, spans_support_summaries
from assets.schemas.enrichment import ENRICHMENTS
from pipeline_defs.build import Resources
from testing.enrichment_runs import SHARD, installation, use_tiny_model
from testing.table_builds import build


@pytest.fixture
def without_model(tmp_path: Path) -> Resources:
    return installation(tmp_path)


@pytest.fixture
def with_model(without_model: Resources) -> Resources:
    return use_tiny_model(without_model)


def spans_check(resources: Resources) -> AssetCheckResult:
    found = spans_support_summaries(resources.store, resources.sessions)
    assert isinstance(found, AssetCheckResult)
    return found


def test_check_fails_on_a_span_that_differs_from_its_text(without_model: Resources) -> None:
    rows = build("enrichments", SHARD, without_model).rows
    assert spans_check(without_model).passed
    changed = [{**row, "spans": [{**s, "start": s["start"] + 1} for s in row["spans"]]} for row in rows.to_pylist()]
    without_model.store.publish(ENRICHMENTS, SHARD, pa.Table.from_pylist(changed, ENRICHMENTS.arrow))
    found = spans_check(without_model)
    assert not found.passed
    assert found.metadata["broken_spans"].value == 3


def test_check_fails_on_a_summary_without_a_span(without_model: Resources) -> None:
    rows = build("enrichments", SHARD, without_model).rows.to_pylist()
    without = [{**row, "spans": []} for row in rows]
    without_model.store.publish(ENRICHMENTS, SHARD, pa.Table.from_pylist(without, ENRICHMENTS.arrow))
    assert not spans_check(without_model).passed


def wrote_check(resources: Resources) -> AssetCheckResult:
    used = (resources.store, resources.sessions, resources.language_model)
    found = model_wrote_summaries(build_asset_check_context(), *used)
    assert isinstance(found, AssetCheckResult)
    return found


def test_without_a_model_the_check_passes_and_has_the_command(without_model: Resources) -> None:
    build("enrichments", SHARD, without_model)
    found = wrote_check(without_model)
    assert (found.passed, found.severity) == (True, AssetCheckSeverity.WARN)
    assert "crates model fetch" in (found.description or "")


def test_check_warns_of_a_model_whose_replies_cannot_be_used(with_model: Resources) -> None:
    build("enrichments", SHARD, with_model)
    found = wrote_check(with_model)
    assert not found.passed
    assert "3 of 3 replies cannot be used" in (found.description or "")
