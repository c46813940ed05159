"""The `enrichments` table with a real llama.cpp: no text is read twice, no row is lost, a bad text fails alone."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assets.enrichment import llm_calls
from assets.enrichment.enrichments import NO_MODEL
from pipeline_defs.build import Resources
from resources.common.errors import BadInput
from resources.language_model.questions import Question
from resources.language_model.worker_process import WorkerProcess
from testing.enrichment_runs import (
    ALPHA,
    BETA,
    DELTA,
    GAMMA,
    SHARD,
    TEXTS_BY_CRATE,
    Text,
    installation,
    publish_texts,
    rows_of,
    use_model,
    use_tiny_model,
)
from testing.table_builds import build


@pytest.fixture
def without_model(tmp_path: Path) -> Resources:
    return installation(tmp_path)


@pytest.fixture
def with_model(without_model: Resources) -> Resources:
    return use_tiny_model(without_model)


def sha_of_model(resources: Resources) -> str:
    return hashlib.sha256(Path(resources.language_model.model).read_bytes()).hexdigest()


def test_without_a_model_every_summary_is_the_best_sentence_of_its_text(without_model: Resources) -> None:
    built = build("enrichments", SHARD, without_model)
    rows = rows_of(built)
    assert set(rows) == set(TEXTS_BY_CRATE)
    for name, row in rows.items():
        assert (row["method"], row["model"], row["reply"], row["error"]) == ("extractive", NO_MODEL, None, None)
        assert row["summary"] == TEXTS_BY_CRATE[name].description
        assert [span["text"].rstrip(".") for span in row["spans"]] == [
            (TEXTS_BY_CRATE[name].description or "").rstrip(".")
        ]
    assert (rows[BETA]["category"], rows[BETA]["category_source"]) == ("compression", "author")
    assert rows[ALPHA]["category_source"] == "embedding"
    assert rows[ALPHA]["category_margin"] > 0
    assert built.context.metrics["rows_extractive"] == 3


def test_second_run_reads_no_text_and_publishes_the_same_bytes(with_model: Resources) -> None:
    first = build("enrichments", SHARD, with_model)
    again = build("enrichments", SHARD, with_model)
    assert first.context.metrics["replies"] == 3
    assert again.context.metrics["new_rows"] == 0
    assert "tokens_per_second" in first.context.metrics
    assert first.published
    assert again.published
    assert again.published.sha256 == first.published.sha256


def test_replies_without_support_are_not_published_as_the_models(with_model: Resources) -> None:
    """The replies of the tiny model are random letters: every row has a sentence of the text, and the reason."""
    rows = rows_of(build("enrichments", SHARD, with_model))
    for name, row in rows.items():
        assert row["model"] == sha_of_model(with_model)
        assert row["method"] == "extractive"
        assert row["error"]
        assert row["reply"]
        assert row["tokens_in"] > 0
        assert row["seconds"] > 0
        assert row["summary"] == TEXTS_BY_CRATE[name].description


def test_only_new_texts_are_read_and_earlier_rows_stay(with_model: Resources) -> None:
    build("enrichments", SHARD, with_model)
    changed = {
        **TEXTS_BY_CRATE,
        ALPHA: Text("Reads TOML and JSON files."),
        DELTA: Text("Draws charts in the terminal."),
    }
    publish_texts(with_model, changed, "2020-07-21")
    built = build("enrichments", SHARD, with_model)
    assert built.context.metrics["new_rows"] == built.context.metrics["replies"] == 2
    assert len(built.rows) == 5
    known_at = {(r["crate"], r["known_at"].day) for r in built.rows.to_pylist()}
    assert known_at == {(ALPHA, 20), (BETA, 20), (GAMMA, 20), (ALPHA, 21), (DELTA, 21)}


def test_new_author_category_does_not_ask_the_model(with_model: Resources) -> None:
    build("enrichments", SHARD, with_model)
    publish_texts(
        with_model, {**TEXTS_BY_CRATE, GAMMA: replace(TEXTS_BY_CRATE[GAMMA], categories=("caching",))}, "2020-07-21"
    )
    built = build("enrichments", SHARD, with_model)
    assert (built.context.metrics["new_rows"], built.context.metrics["replies"]) == (1, 0)
    assert built.context.metrics["cache_hits"] == 1
    sources = {r["category_source"] for r in built.rows.to_pylist() if r["crate"] == GAMMA}
    assert sources == {"embedding", "author"}


def test_rows_without_a_model_stay_beside_those_of_the_model(without_model: Resources) -> None:
    build("enrichments", SHARD, without_model)
    with_model = use_tiny_model(without_model)
    built = build("enrichments", SHARD, with_model)
    assert len(built.rows) == 6
    assert {r["model"] for r in built.rows.to_pylist()} == {NO_MODEL, sha_of_model(with_model)}


def test_text_too_long_for_the_context_fails_alone(without_model: Resources) -> None:
    long = " ".join(f"It reads format number {n} of the old archive." for n in range(200))
    publish_texts(without_model, {**TEXTS_BY_CRATE, DELTA: Text(long)}, "2020-07-21")
    rows = rows_of(build("enrichments", SHARD, use_tiny_model(without_model, context=1408)))
    assert set(rows) == {*TEXTS_BY_CRATE, DELTA}
    assert "context" in rows[DELTA]["error"]
    assert rows[DELTA]["reply"] is None
    assert all(rows[name]["reply"] for name in TEXTS_BY_CRATE)
    with_room = build("enrichments", SHARD, use_tiny_model(without_model))
    assert with_room.context.metrics["replies"] == 1
    assert rows_of(with_room)[DELTA]["reply"]


def test_only_the_question_whose_process_died_is_asked_again(
    with_model: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = WorkerProcess.ask

    def die_on_alpha(process: WorkerProcess, question: Question) -> dict[str, Any]:
        if ALPHA in question.messages[-1]["content"]:
            process.kill()
        return ask(process, question)

    with monkeypatch.context() as patched:
        patched.setattr(WorkerProcess, "ask", die_on_alpha)
        died = rows_of(build("enrichments", SHARD, with_model))
    assert (died[ALPHA]["method"], died[ALPHA]["reply"]) == ("extractive", None)
    assert "the model's process was killed by signal 9" in died[ALPHA]["error"]
    again = build("enrichments", SHARD, with_model)
    assert (again.context.metrics["new_rows"], again.context.metrics["replies"], len(again.rows)) == (1, 1, 3)
    rows = rows_of(again)
    assert rows.pop(ALPHA)["reply"]
    assert rows.items() <= died.items()
    assert build("enrichments", SHARD, with_model).context.metrics["new_rows"] == 0
    assert (Path(with_model.journal.folder) / f"{SHARD}.jsonl").read_bytes() == b""


def test_question_whose_reply_was_late_is_asked_again(with_model: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(llm_calls, "MAX_SECONDS", 0.0)
        late = rows_of(build("enrichments", SHARD, with_model))
    assert {row["finish_reason"] for row in late.values()} == {"time"}
    assert all(row["error"] for row in late.values())
    again = build("enrichments", SHARD, with_model)
    assert again.context.metrics["replies"] == len(again.rows) == 3
    assert "time" not in {row["finish_reason"] for row in again.rows.to_pylist()}


def test_broken_model_fails_the_shard_and_leaves_it_unchanged(with_model: Resources, tmp_path: Path) -> None:
    before = build("enrichments", SHARD, with_model).published
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(Path(with_model.language_model.model).read_bytes()[:1000])
    with pytest.raises(BadInput, match=r"cut\.gguf"):
        build("enrichments", SHARD, use_model(with_model, cut))
    assert with_model.store.find("enrichments", SHARD) == before


HOSTILE = (
    "Pads strings with spaces. <script>alert(1)</script> | [x](javascript:1) \u202e\u0007 "
    "`<img src=x onerror=1>` **bold**"
)


def test_markup_of_a_hostile_text_is_escaped(without_model: Resources) -> None:
    publish_texts(without_model, {ALPHA: Text(HOSTILE, f"# t\n\n{HOSTILE}\n\n```\n````\n")}, "2020-07-21")
    built = build("enrichments", SHARD, without_model)
    row = rows_of(built)[ALPHA]
    for span in row["spans"]:
        source = HOSTILE if span["field"] == "description" else f"# t\n\n{HOSTILE}\n\n```\n````\n"
        assert source[span["start"] : span["end"]] == span["text"]
    assert row["summary"].isprintable()
    shown = built.context.notes["examples"]
    assert "Pads strings" in shown
    assert not any(part in shown for part in ("<", "\u202e", "\u0007", "](javascript"))
