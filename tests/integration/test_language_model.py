"""The language model with a real llama.cpp and a tiny model: its replies, and every way in which it can fail."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from resources.common.errors import BadInput
from resources.language_model import language_model, worker_process
from resources.language_model.language_model import LanguageModel
from resources.language_model.questions import Question, Reply
from resources.language_model.worker_process import Job, WorkerFailed, WorkerProcess
from testing.tiny_model import write_tiny_model

SCHEMA = {"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"]}
SYSTEM = {"role": "system", "content": "Say what the crate does, as JSON."}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_tiny_model(path)
    return path


def model(path: Path | str, folder: Path, **settings: object) -> LanguageModel:
    return LanguageModel(**{"model": str(path), "sha256": "", "folder": str(folder), "workers": 1, **settings})


def questions(count: int, length: int = 20) -> list[Question]:
    texts = [f"Crate: c{n} " + "reads files " * (length // 12) for n in range(count)]
    return [Question(str(n), (SYSTEM, {"role": "user", "content": text}), SCHEMA) for n, text in enumerate(texts)]


def ask(llm: LanguageModel, asked: list[Question], max_tokens: int = 24, seconds: float = 30) -> dict[str, Reply]:
    replies = list(llm.ask(asked, max_tokens, seconds))
    assert sorted(r.key for r in replies) == sorted(q.key for q in asked)
    return {r.key: r for r in replies}


def worker_processes() -> list[psutil.Process]:
    return [c for c in psutil.Process().children() if worker_process.MODULE in " ".join(c.cmdline())]


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    assert worker_processes() == []


def test_replies_match_the_schema_or_are_cut_by_length(tiny: Path, tmp_path: Path) -> None:
    for reply in ask(model(tiny, tmp_path), questions(4)).values():
        assert reply.error is None
        assert reply.text is not None
        assert reply.text.lstrip().startswith("{")
        assert reply.finish_reason in ("stop", "length")
        if reply.finish_reason == "stop":
            assert set(json.loads(reply.text, strict=False)) == {"summary"}
        assert reply.tokens_in
        assert reply.tokens_out
        assert reply.tokens_out <= 24 + 3  # llama-cpp-python finishes a character of several bytes


def test_reply_depends_neither_on_the_order_nor_on_the_number_of_workers(tiny: Path, tmp_path: Path) -> None:
    asked = questions(6)
    one = {key: r.text for key, r in ask(model(tiny, tmp_path), asked).items()}
    two = {key: r.text for key, r in ask(model(tiny, tmp_path, workers=2), asked[::-1]).items()}
    assert one == two


def test_prompt_longer_than_the_context_fails_its_question_alone(tiny: Path, tmp_path: Path) -> None:
    long = Question("long", (SYSTEM, {"role": "user", "content": "x" * 600}), SCHEMA)
    replies = ask(model(tiny, tmp_path, context=512), [*questions(1), long])
    assert "the context has room for" in (replies["long"].error or "")
    assert replies["long"].text is None
    assert replies["0"].text


def test_endless_generation_stops_after_its_seconds(tiny: Path, tmp_path: Path) -> None:
    [reply] = ask(model(tiny, tmp_path), questions(1), max_tokens=1500, seconds=0.05).values()
    assert (reply.finish_reason, reply.error) == ("time", None)


def test_killed_process_fails_at_most_one_question(tiny: Path, tmp_path: Path) -> None:
    llm = model(tiny, tmp_path)
    replies = llm.ask(questions(3), 300, 30)
    first = next(replies)
    os.kill(worker_processes()[0].pid, signal.SIGKILL)
    rest = list(replies)
    assert len({first.key, *(r.key for r in rest)}) == 3
    assert [r.error for r in rest if r.error] in ([], ["the model's process was killed by signal 9"])
    assert any(r.text for r in rest)
    assert all(r.text for r in ask(llm, questions(2)).values())


def test_question_to_a_dead_process_raises_worker_failed(tiny: Path) -> None:
    process = WorkerProcess(Job(str(tiny), context=512, max_tokens=8, seconds=1.0))
    process.kill()
    process._process.wait()
    with pytest.raises(WorkerFailed, match="was killed by signal 9"):
        process.ask(questions(1)[0])


def test_hung_process_is_killed_and_replaced(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "GRACE_SECONDS", 0.5)
    replies = model(tiny, tmp_path).ask(questions(3), 300, 2)
    next(replies)
    os.kill(worker_processes()[0].pid, signal.SIGSTOP)
    started = time.monotonic()
    rest = list(replies)
    assert time.monotonic() - started < 12
    assert sum("no reply in" in (r.error or "") for r in rest) == 1
    assert any(r.text for r in rest)


def test_closed_generator_leaves_no_process(tiny: Path, tmp_path: Path) -> None:
    replies = model(tiny, tmp_path, workers=2).ask(questions(50), 300, 30)
    next(replies)
    assert worker_processes()
    replies.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert worker_processes() == []


def damaged(tiny: Path, path: Path, damage: str) -> Path:
    content = tiny.read_bytes()
    path.write_bytes(
        {"empty": b"", "magic": b"GGML" + content[4:], "header": content[:2000], "cut": content[:-50_000]}[damage]
    )
    return path


@pytest.mark.parametrize("damage", ["empty", "magic", "header", "cut"])
def test_error_names_the_damaged_file(tiny: Path, tmp_path: Path, damage: str) -> None:
    path = damaged(tiny, tmp_path / "damaged.gguf", damage)
    with pytest.raises(BadInput, match=r"damaged\.gguf"):
        ask(model(path, tmp_path), questions(1))


def test_missing_changed_and_templateless_files_are_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.gguf is missing"):
        model(tmp_path / "none.gguf", tmp_path).file()
    known = model(tiny, tmp_path).file()
    assert known
    changed = bytearray(tiny.read_bytes())
    changed[-1000] ^= 1
    (tmp_path / "changed.gguf").write_bytes(changed)
    with pytest.raises(BadInput, match="check CRATES_MODEL_SHA256"):
        model(tmp_path / "changed.gguf", tmp_path, sha256=known.sha256).file()
    write_tiny_model(tmp_path / "base.gguf", template=None)
    with pytest.raises(BadInput, match="no chat template"):
        ask(model(tmp_path / "base.gguf", tmp_path), questions(1))


def test_error_has_the_memory_that_is_needed_and_available(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language_model, "available_bytes", lambda: 1 << 20)
    with pytest.raises(BadInput, match=r"need about 0\.2 GB of memory, and 0\.0 GB are available"):
        model(tiny, tmp_path).file()


def test_unset_model_has_no_file(tmp_path: Path) -> None:
    assert model("", tmp_path).file() is None
