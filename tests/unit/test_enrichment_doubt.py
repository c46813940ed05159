"""Where the embedding doubts a category, a large model chooses among the nearest classes, once."""

import json
from pathlib import Path
from typing import Any

import pytest

from assets.enrichment import categories
from enrichment import doubt
from enrichment.category import UNKNOWN, Category
from pipeline_defs.build import Resources
from resources.language_model.questions import Question
from resources.language_model.worker_process import WorkerProcess
from testing.enrichment_runs import ALPHA, BETA, GAMMA, SHARD, Text, asking_tiny, installation, publish_texts, rows_of
from testing.table_builds import build

NEAREST = ("parsing", "encoding", "config")


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resources:
    """The tiny model passes for a large one, and every category of the embedding is in doubt."""
    monkeypatch.setattr(categories, "LEAST_BYTES", 0)
    monkeypatch.setattr(doubt, "DOUBTFUL", 9.0)
    return asking_tiny(installation(tmp_path))


@pytest.mark.parametrize(
    ("category", "is_doubtful"),
    [
        (Category("parsing", 0.001, "embedding", NEAREST), True),
        (Category("parsing", doubt.DOUBTFUL, "embedding", NEAREST), False),
        (Category("parsing", None, "author"), False),
        (UNKNOWN, False),
    ],
)
def test_only_what_the_embedding_hardly_chose_is_doubtful(category: Category, is_doubtful: bool) -> None:
    assert doubt.is_doubtful(category) is is_doubtful


@pytest.mark.parametrize(
    ("reply", "slug"),
    [
        ('{"category": "encoding"}', "encoding"),
        ('{"category": "gui"}', None),
        ('{"category": ["encoding"]}', None),
        ('["encoding"]', None),
        ('{"category": "enc', None),
        ("[" * 100_000, None),
    ],
)
def test_only_a_class_that_was_offered_is_chosen(reply: str, slug: str | None) -> None:
    assert doubt.chosen(reply, NEAREST) == slug


def test_doubtful_categories_are_chosen_by_the_model_and_asked_once(large: Resources) -> None:
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


def test_known_answer_is_taken_from_the_table(large: Resources) -> None:
    before = rows_of(build("enrichments", SHARD, large))[GAMMA]
    told = Text("A cache with time to live.", categories=("no such category",))
    publish_texts(large, {GAMMA: told}, "2020-07-21")
    built = build("enrichments", SHARD, large)
    numbers = built.context.metrics
    assert (numbers["new_rows"], numbers["replies"], numbers["cache_hits"]) == (1, 0, 2)
    rows = [row for row in built.rows.to_pylist() if row["crate"] == GAMMA]
    assert [row["category_reply"] for row in rows] == [before["category_reply"]] * 2


def test_category_whose_question_killed_its_process_is_the_embeddings_until_it_is_asked_again(
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


def test_small_model_is_not_asked_of_categories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubt, "DOUBTFUL", 9.0)
    built = build("enrichments", SHARD, asking_tiny(installation(tmp_path)))
    assert built.context.metrics["replies"] == 3
    assert {row["category_source"] for row in built.rows.to_pylist()} == {"embedding", "author"}
