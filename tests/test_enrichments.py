"""The `enrichments` table with a real llama.cpp: nothing read twice, nothing lost, one bad text stops no other."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
from builds import build, tools
from dagster import AssetCheckResult, AssetCheckSeverity, build_asset_check_context
from registries import SAMPLE
from tiny_model import write_tiny_model

from assets.enrichment.checks import model_wrote_summaries, spans_support_summaries
from assets.enrichment.enrichments import NO_MODEL
from assets.schemas.enrichment import ENRICHMENTS
from assets.schemas.registry import CRATES, TEXTS, VERSIONS
from assets.table_asset import Built, Tools
from resources.language_model import LanguageModel
from resources.reply_journal import KeptReply, ReplyJournal
from resources.settings import PROJECT

SHARD = "0"


def names_in_shard(count: int) -> list[str]:
    """Crate names of the shard."""
    names = (f"crate_{n}" for n in range(10_000))
    found = [name for name in names if hashlib.sha256(name.encode()).hexdigest().startswith(SHARD)]
    return found[:count]


ALPHA, BETA, GAMMA, DELTA = names_in_shard(4)


@dataclass(frozen=True)
class Text:
    """What an author wrote of a version."""

    description: str | None
    readme: str | None = None
    categories: tuple[str, ...] | None = None


TOLD = {
    ALPHA: Text("Parses TOML files into typed values."),
    BETA: Text("Compresses byte streams with LZ4.", categories=("compression",)),
    GAMMA: Text("A cache with time to live."),
}


def publish_texts(with_tools: Tools, told: Mapping[str, Text], day: str = "2020-07-20") -> None:
    """The tables of a snapshot in which each crate has one version."""
    at = datetime.fromisoformat(day)
    named = list(enumerate(told.items(), 1))
    crate = {"created_at": at, "created_at_exact": True}
    rows = {
        CRATES: [{"id": n, "name": name, "canonical_name": name, **crate} for n, (name, _) in named],
        VERSIONS: [
            {
                "id": n,
                "crate_id": n,
                "num": "1.0.0",
                "version_key": "1",
                "yanked": False,
                **crate,
                "categories": text.categories and list(text.categories),
            }
            for n, (_, text) in named
        ],
        TEXTS: [
            {
                "version_id": n,
                "crate_id": n,
                "description": text.description,
                "readme": text.readme,
                "content_sha256": hashlib.sha256(repr(text).encode()).hexdigest(),
            }
            for n, (_, text) in named
        ],
    }
    for table, found in rows.items():
        with_tools.store.publish(table, day, pa.Table.from_pylist(found, table.arrow))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model of random weights."""
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_tiny_model(path)
    return path


@pytest.fixture
def without_model(tmp_path: Path) -> Tools:
    """An installation without a language model, whose newest snapshot has three texts in one shard."""
    found = tools(tmp_path / "data", SAMPLE)
    publish_texts(found, TOLD)
    return found


@pytest.fixture
def with_model(without_model: Tools, tiny_model: Path) -> Tools:
    return asking(without_model, str(tiny_model))


def asking(with_tools: Tools, model: str, **settings: object) -> Tools:
    """The same installation with another model."""
    folder = str(Path(with_tools.store.root).parent / "models")
    values = {"sha256": "", "folder": folder, "context": 3000, "workers": 1, **settings}
    return replace(with_tools, language_model=LanguageModel(model=model, **values))


def rows_of(built: Built) -> dict[str, dict]:
    """Rows by crate; where a crate has several, the last."""
    return {row["crate"]: row for row in built.rows.to_pylist()}


def sha_of(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_without_a_model_each_text_has_a_row_of_its_own_best_sentence(without_model: Tools) -> None:
    built = build("enrichments", SHARD, without_model)
    rows = rows_of(built)
    assert set(rows) == set(TOLD)
    for name, row in rows.items():
        assert (row["method"], row["model"], row["reply"], row["error"]) == ("extractive", NO_MODEL, None, None)
        assert row["summary"] == TOLD[name].description
        assert [span["text"].rstrip(".") for span in row["spans"]] == [(TOLD[name].description or "").rstrip(".")]
    assert (rows[BETA]["category"], rows[BETA]["category_source"]) == ("compression", "author")
    assert rows[ALPHA]["category_source"] == "embedding"
    assert rows[ALPHA]["category_margin"] > 0
    assert built.inputs.numbers["rows_extractive"] == 3


def test_second_run_reads_nothing_and_gives_the_same_bytes(with_model: Tools) -> None:
    first = build("enrichments", SHARD, with_model)
    again = build("enrichments", SHARD, with_model)
    assert first.inputs.numbers["replies"] == 3
    assert again.inputs.numbers["new_rows"] == 0
    assert "tokens_per_second" in first.inputs.numbers
    assert first.published
    assert again.published
    assert again.published.sha256 == first.published.sha256


def test_answers_that_say_nothing_true_are_never_passed_off_as_the_models(with_model: Tools, tiny_model: Path) -> None:
    """The tiny model says random letters: every row must be the text's own sentence, and say why."""
    rows = rows_of(build("enrichments", SHARD, with_model))
    for name, row in rows.items():
        assert row["model"] == sha_of(str(tiny_model))
        assert row["method"] == "extractive"
        assert row["error"]
        assert row["reply"]
        assert row["tokens_in"] > 0
        assert row["seconds"] > 0
        assert row["summary"] == TOLD[name].description


def test_only_a_new_text_is_read_and_earlier_rows_stay(with_model: Tools) -> None:
    build("enrichments", SHARD, with_model)
    changed = {**TOLD, ALPHA: Text("Reads TOML and JSON files."), DELTA: Text("Draws charts in the terminal.")}
    publish_texts(with_model, changed, "2020-07-21")
    built = build("enrichments", SHARD, with_model)
    assert built.inputs.numbers["new_rows"] == built.inputs.numbers["replies"] == 2
    assert len(built.rows) == 5
    known_at = {(r["crate"], r["known_at"].day) for r in built.rows.to_pylist()}
    assert known_at == {(ALPHA, 20), (BETA, 20), (GAMMA, 20), (ALPHA, 21), (DELTA, 21)}


def test_a_new_category_of_the_author_asks_no_model(with_model: Tools) -> None:
    build("enrichments", SHARD, with_model)
    publish_texts(with_model, {**TOLD, GAMMA: replace(TOLD[GAMMA], categories=("caching",))}, "2020-07-21")
    built = build("enrichments", SHARD, with_model)
    assert (built.inputs.numbers["new_rows"], built.inputs.numbers["replies"]) == (1, 0)
    assert built.inputs.numbers["cache_hits"] == 1
    sources = {r["category_source"] for r in built.rows.to_pylist() if r["crate"] == GAMMA}
    assert sources == {"embedding", "author"}


def test_rows_from_before_the_model_stay_beside_its_own(without_model: Tools, tiny_model: Path) -> None:
    build("enrichments", SHARD, without_model)
    built = build("enrichments", SHARD, asking(without_model, str(tiny_model)))
    assert len(built.rows) == 6
    assert {r["model"] for r in built.rows.to_pylist()} == {NO_MODEL, sha_of(str(tiny_model))}


def test_a_text_too_long_for_the_context_has_its_error_and_the_others_their_rows(
    without_model: Tools, tiny_model: Path
) -> None:
    long = " ".join(f"It reads format number {n} of the old archive." for n in range(200))
    publish_texts(without_model, {**TOLD, DELTA: Text(long)}, "2020-07-21")
    rows = rows_of(build("enrichments", SHARD, asking(without_model, str(tiny_model), context=1408)))
    assert set(rows) == {*TOLD, DELTA}
    assert "context" in rows[DELTA]["error"]
    assert rows[DELTA]["reply"] is None
    assert all(rows[name]["reply"] for name in TOLD)


def test_run_that_was_killed_keeps_what_it_paid_for(with_model: Tools, tiny_model: Path, tmp_path: Path) -> None:
    many = {name: Text(f"Reads the file format number {n} of an archive.") for n, name in enumerate(names_in_shard(12))}
    publish_texts(with_model, many, "2020-07-21")
    program = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\n"
        "from builds import build, tools\n"
        "from test_enrichments import SAMPLE, asking\n"
        f"build('enrichments', {SHARD!r}, asking(tools(Path({str(tmp_path / 'data')!r}), SAMPLE), {str(tiny_model)!r}))"
    )
    run = subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT)
    journal = Path(with_model.journal.folder) / f"{SHARD}.jsonl"
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 3):
        assert run.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    kept = journal.read_bytes().count(b"\n")
    assert with_model.store.find("enrichments", SHARD) is None
    built = build("enrichments", SHARD, with_model)
    assert built.inputs.numbers["cache_hits"] == kept
    assert built.inputs.numbers["replies"] == 12 - kept
    assert len(built.rows) == 12


def test_broken_model_fails_the_shard_and_leaves_it_as_it_was(with_model: Tools, tmp_path: Path) -> None:
    from resources.errors import BadInput

    before = build("enrichments", SHARD, with_model).published
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(Path(with_model.language_model.model).read_bytes()[:1000])
    with pytest.raises(BadInput, match=r"cut\.gguf"):
        build("enrichments", SHARD, asking(with_model, str(cut)))
    assert with_model.store.find("enrichments", SHARD) == before


HOSTILE = (
    "Pads strings with spaces. <script>alert(1)</script> | [x](javascript:1) \u202e\u0007 "
    "`<img src=x onerror=1>` **bold**"
)


def test_hostile_text_is_shown_with_its_markup_made_harmless(without_model: Tools) -> None:
    publish_texts(without_model, {ALPHA: Text(HOSTILE, f"# t\n\n{HOSTILE}\n\n```\n````\n")}, "2020-07-21")
    built = build("enrichments", SHARD, without_model)
    row = rows_of(built)[ALPHA]
    for span in row["spans"]:
        source = HOSTILE if span["field"] == "description" else f"# t\n\n{HOSTILE}\n\n```\n````\n"
        assert source[span["start"] : span["end"]] == span["text"]
    assert row["summary"].isprintable()
    shown = built.inputs.notes["examples"]
    assert "Pads strings" in shown
    assert not any(part in shown for part in ("<", "\u202e", "\u0007", "](javascript"))


def spans_check(with_tools: Tools) -> AssetCheckResult:
    found = spans_support_summaries(with_tools.store, with_tools.sessions)
    assert isinstance(found, AssetCheckResult)
    return found


def test_check_finds_a_span_that_is_not_in_its_text(without_model: Tools) -> None:
    rows = build("enrichments", SHARD, without_model).rows
    assert spans_check(without_model).passed
    changed = [{**row, "spans": [{**s, "start": s["start"] + 1} for s in row["spans"]]} for row in rows.to_pylist()]
    without_model.store.publish(ENRICHMENTS, SHARD, pa.Table.from_pylist(changed, ENRICHMENTS.arrow))
    found = spans_check(without_model)
    assert not found.passed
    assert found.metadata["broken_spans"].value == 3


def test_check_finds_a_summary_without_a_span(without_model: Tools) -> None:
    rows = build("enrichments", SHARD, without_model).rows.to_pylist()
    without = [{**row, "spans": []} for row in rows]
    without_model.store.publish(ENRICHMENTS, SHARD, pa.Table.from_pylist(without, ENRICHMENTS.arrow))
    assert not spans_check(without_model).passed


def wrote_check(with_tools: Tools) -> AssetCheckResult:
    resources = (with_tools.store, with_tools.sessions, with_tools.language_model)
    found = model_wrote_summaries(build_asset_check_context(), *resources)
    assert isinstance(found, AssetCheckResult)
    return found


def test_without_a_model_a_warning_says_how_to_turn_it_on(without_model: Tools) -> None:
    build("enrichments", SHARD, without_model)
    found = wrote_check(without_model)
    assert (found.passed, found.severity) == (False, AssetCheckSeverity.WARN)
    assert "make model" in (found.description or "")


def test_model_whose_answers_cannot_be_used_is_told(with_model: Tools) -> None:
    build("enrichments", SHARD, with_model)
    found = wrote_check(with_model)
    assert not found.passed
    assert "3 of 3 answers could not be used" in (found.description or "")


REPLY = KeptReply("p" * 64, "m" * 64, "r", '{"summary": "x"}', "stop", 10, 5, 0.5, None)


def test_journal_gives_back_what_was_written(tmp_path: Path) -> None:
    journals = ReplyJournal(folder=str(tmp_path))
    with journals.open(SHARD, set()) as journal:
        journal.write(REPLY)
    with journals.open(SHARD, set()) as journal:
        assert journal.held == [REPLY]
    with journals.open(SHARD, {(REPLY.prompt_sha256, REPLY.model)}) as journal:
        assert journal.held == []
    assert (tmp_path / f"{SHARD}.jsonl").read_text() == ""


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(vars(REPLY))[:40],
        json.dumps({**vars(REPLY), "tokens_in": "many"}),
        json.dumps({**vars(REPLY), "more": 1}),
        json.dumps([1, 2]),
        "\x00\xff\n\n",
        "{" * 5000,
    ],
)
def test_spoilt_lines_of_a_journal_are_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / f"{SHARD}.jsonl"
    path.write_text(f"{json.dumps(vars(REPLY))}\n{line}", encoding="utf-8")
    with ReplyJournal(folder=str(tmp_path)).open(SHARD, set()) as journal:
        assert journal.held == [REPLY]
        journal.write(replace(REPLY, prompt_sha256="q" * 64))
    with ReplyJournal(folder=str(tmp_path)).open(SHARD, set()) as journal:
        assert [r.prompt_sha256[0] for r in journal.held] == ["p", "q"]
