"""A large model chooses a category among the nearest if the embedding is uncertain, and is asked once."""

import json
from pathlib import Path
from typing import Any

import pytest

from assets.enrichment import categories
from enrichment import category_prompt
from pipeline_defs.build import Resources
from resources.language_model.questions import Question
from resources.language_model.worker_process import WorkerProcess
from testing.enrichment_runs import (
    ALPHA,
    BETA,
    GAMMA,
    SHARD,
    Text,
    installation,
    publish_texts,
    rows_of,
    use_tiny_model,
)
from testing.table_builds import build


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resources:
    """The tiny model counts as a large one, and every category of the embedding as uncertain."""
    monkeypatch.setattr(categories, "MIN_MODEL_BYTES", 0)
    monkeypatch.setattr(category_prompt, "MAX_UNCERTAIN_MARGIN", 9.0)
    return use_tiny_model(installation(tmp_path))


def test_uncertain_categories_are_chosen_by_the_model_which_is_asked_once(large: Resources) -> None:
    first = build("enrichments", SHARD, large)
    rows = rows_of(first)
    assert (rows[BETA]["category"], rows[BETA]["category_source"], rows[BETA]["category_reply"]) == (
        "compression",
        "author",
        None,
    )
    for name in (ALPHA, GAMMA):
        assert rows[name]["category_source"] == "model"
        assert json.loads(rows[name]["category_reply"]) == {"category": rows[name]["category"]}
        assert rows[name]["category_margin"] > 0
    assert first.context.metrics["categories_by_model"] == 2
    assert first.context.metrics["replies"] == 5
    again = build("enrichments", SHARD, large)
    assert again.context.metrics["new_rows"] == 0
    assert (Path(large.journal.folder) / f"{SHARD}.jsonl").read_bytes() == b""


def test_known_reply_comes_from_the_table(large: Resources) -> None:
    before = rows_of(build("enrichments", SHARD, large))[GAMMA]
    changed = Text("A cache with time to live.", categories=("no such category",))
    publish_texts(large, {GAMMA: changed}, "2020-07-21")
    built = build("enrichments", SHARD, large)
    numbers = built.context.metrics
    assert (numbers["new_rows"], numbers["replies"], numbers["cache_hits"]) == (1, 0, 2)
    rows = [row for row in built.rows.to_pylist() if row["crate"] == GAMMA]
    assert [row["category_reply"] for row in rows] == [before["category_reply"]] * 2


def test_question_that_kills_its_process_is_asked_again_by_the_next_run(
    large: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = WorkerProcess.ask

    def die_on_categories(process: WorkerProcess, question: Question) -> dict[str, Any]:
        if "category" in question.schema["properties"]:
            process.kill()
        return ask(process, question)

    with monkeypatch.context() as patched:
        patched.setattr(WorkerProcess, "ask", die_on_categories)
        died = rows_of(build("enrichments", SHARD, large))
    assert (died[ALPHA]["category_source"], died[ALPHA]["category_reply"]) == ("embedding", None)
    again = build("enrichments", SHARD, large)
    assert (again.context.metrics["new_rows"], again.context.metrics["replies"], len(again.rows)) == (2, 2, 3)
    rows = rows_of(again)
    assert rows[ALPHA]["category_source"] == "model"
    assert rows[ALPHA]["reply"] == died[ALPHA]["reply"]


def test_small_model_is_not_asked_about_categories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(category_prompt, "MAX_UNCERTAIN_MARGIN", 9.0)
    built = build("enrichments", SHARD, use_tiny_model(installation(tmp_path)))
    assert built.context.metrics["replies"] == 3
    assert {row["category_source"] for row in built.rows.to_pylist()} == {"embedding", "author"}
