"""Replies survive a killed run, and leave the journal when their rows are published."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from resources.cache.embedded import start_server
from resources.common.settings import PROJECT
from resources.language_model.questions import Reply
from resources.language_model.reply_journal import ReplyJournal
from testing.enrichment_runs import SHARD, Text, installation, names_in_shard, publish_texts, use_tiny_model
from testing.table_builds import build

REPLY = Reply("p" * 64, "m" * 64, "r", 0.5, '{"summary": "x"}', "stop", 10, 5)


def test_journal_returns_the_replies_that_were_written_and_not_published(tmp_path: Path) -> None:
    journals = ReplyJournal(folder=str(tmp_path))
    with journals.open(SHARD, set()) as journal:
        journal.write(REPLY)
    with journals.open(SHARD, set()) as journal:
        assert journal.replies == [REPLY]
    with journals.open(SHARD, {(REPLY.key, REPLY.model)}) as journal:
        assert journal.replies == []
    assert (tmp_path / f"{SHARD}.jsonl").read_text() == ""


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(vars(REPLY))[:40],
        json.dumps({**vars(REPLY), "tokens_in": "many"}),
        json.dumps({**vars(REPLY), "more": 1}),
        json.dumps({**vars(REPLY), "key": "q", "text": None, "error": "it died"}),
        json.dumps({**vars(REPLY), "key": "q", "finish_reason": "time"}),
        json.dumps([1, 2]),
        "\x00\xff\n\n",
        "{" * 5000,
    ],
)
def test_invalid_lines_of_a_journal_are_ignored(tmp_path: Path, line: str) -> None:
    path = tmp_path / f"{SHARD}.jsonl"
    path.write_text(f"{json.dumps(vars(REPLY))}\n{line}", encoding="utf-8")
    with ReplyJournal(folder=str(tmp_path)).open(SHARD, set()) as journal:
        assert journal.replies == [REPLY]
        journal.write(replace(REPLY, key="q" * 64))
    with ReplyJournal(folder=str(tmp_path)).open(SHARD, set()) as journal:
        assert [r.key[0] for r in journal.replies] == ["p", "q"]


def test_killed_run_loses_no_reply(tmp_path: Path) -> None:
    with_model = use_tiny_model(installation(tmp_path))
    many = {name: Text(f"Reads the file format number {n} of an archive.") for n, name in enumerate(names_in_shard(12))}
    publish_texts(with_model, many, "2020-07-21")
    program = (
        "from pathlib import Path\n"
        "from testing.enrichment_runs import use_tiny_model\n"
        "from testing.registries import SAMPLE\n"
        "from testing.table_builds import build, bundled_resources\n"
        f"build('enrichments', {SHARD!r}, use_tiny_model(bundled_resources(Path({str(tmp_path / 'data')!r}), SAMPLE)))"
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
    written = journal.read_bytes().count(b"\n")
    assert with_model.store.find("enrichments", SHARD) is None
    built = build("enrichments", SHARD, with_model)
    assert built.context.metrics["cache_hits"] == written
    assert built.context.metrics["replies"] == 12 - written
    assert len(built.rows) == 12
    assert build("enrichments", SHARD, with_model).context.metrics["new_rows"] == 0
    assert journal.read_bytes() == b""


def test_reply_of_another_machine_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", start_server())
    monkeypatch.setenv("CRATES_CACHE_KEY", "the same on both machines")
    monkeypatch.setenv("CRATES_REDIS_TIMEOUT_MS", "5000")
    one, other = (use_tiny_model(installation(tmp_path / name)) for name in ("one", "other"))
    texts = {name: Text(f"Reads the file format number {n} of an archive.") for n, name in enumerate(names_in_shard(4))}
    rows = []
    for machine, asked in ((one, 4), (other, 0)):
        publish_texts(machine, texts, "2020-07-21")
        built = build("enrichments", SHARD, machine)
        assert (built.context.metrics["replies"], built.context.metrics["cache_hits"]) == (asked, 4 - asked)
        rows.append(built.rows.to_pylist())
    assert rows[0] == rows[1]
