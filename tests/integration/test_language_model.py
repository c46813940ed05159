"""The language model with a real llama.cpp on a tiny model: what it says, and whatever can go wrong with it."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from resources.common.errors import BadInput
from resources.language_model import language_model, llama_child
from resources.language_model.language_model import LanguageModel, Question, Reply
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


def children() -> list[psutil.Process]:
    return [c for c in psutil.Process().children() if "resources.language_model.llama_worker" in " ".join(c.cmdline())]


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    yield
    assert children() == []


def test_replies_are_json_of_the_schema_or_cut_by_length(tiny: Path, tmp_path: Path) -> None:
    for reply in ask(model(tiny, tmp_path), questions(4)).values():
        assert reply.error is None
        assert reply.text is not None
        assert reply.text.lstrip().startswith("{")
        assert reply.finish_reason in ("stop", "length")
        if reply.finish_reason == "stop":
            assert set(json.loads(reply.text, strict=False)) == {"summary"}
        assert reply.tokens_in
        assert reply.tokens_out
        assert reply.tokens_out <= 24 + 3  # llama-cpp-python ends no reply inside a character of several bytes


def test_same_question_has_the_same_reply_in_any_order_by_any_number_of_workers(tiny: Path, tmp_path: Path) -> None:
    asked = questions(6)
    one = {key: r.text for key, r in ask(model(tiny, tmp_path), asked).items()}
    two = {key: r.text for key, r in ask(model(tiny, tmp_path, workers=2), asked[::-1]).items()}
    assert one == two


def test_prompt_longer_than_the_context_is_an_error_of_its_question_alone(tiny: Path, tmp_path: Path) -> None:
    long = Question("long", (SYSTEM, {"role": "user", "content": "x" * 600}), SCHEMA)
    replies = ask(model(tiny, tmp_path, context=512), [*questions(1), long])
    assert "the context has room for" in (replies["long"].error or "")
    assert replies["long"].text is None
    assert replies["0"].text


def test_generation_without_end_is_bounded_in_seconds(tiny: Path, tmp_path: Path) -> None:
    [reply] = ask(model(tiny, tmp_path), questions(1), max_tokens=1500, seconds=0.05).values()
    assert (reply.finish_reason, reply.error) == ("time", None)


def test_killed_child_costs_its_question_alone(tiny: Path, tmp_path: Path) -> None:
    llm = model(tiny, tmp_path)
    replies = llm.ask(questions(3), 300, 30)
    first = next(replies)
    os.kill(children()[0].pid, signal.SIGKILL)
    rest = list(replies)
    assert len({first.key, *(r.key for r in rest)}) == 3
    assert [r.error for r in rest if r.error] in ([], ["the process with the model ended by signal 9"])
    assert any(r.text for r in rest)
    assert all(r.text for r in ask(llm, questions(2)).values())


def test_hung_child_is_ended(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_child, "GRACE_SECONDS", 0.5)
    replies = model(tiny, tmp_path).ask(questions(3), 300, 2)
    next(replies)
    os.kill(children()[0].pid, signal.SIGSTOP)
    started = time.monotonic()
    rest = list(replies)
    assert time.monotonic() - started < 12
    assert sum("no answer in" in (r.error or "") for r in rest) == 1
    assert any(r.text for r in rest)


def test_who_stops_listening_leaves_no_child(tiny: Path, tmp_path: Path) -> None:
    replies = model(tiny, tmp_path, workers=2).ask(questions(50), 300, 30)
    next(replies)
    assert children()
    replies.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert children() == []


def damaged(tiny: Path, path: Path, damage: str) -> Path:
    content = tiny.read_bytes()
    path.write_bytes(
        {"empty": b"", "magic": b"GGML" + content[4:], "header": content[:2000], "cut": content[:-50_000]}[damage]
    )
    return path


@pytest.mark.parametrize("damage", ["empty", "magic", "header", "cut"])
def test_damaged_file_is_named(tiny: Path, tmp_path: Path, damage: str) -> None:
    path = damaged(tiny, tmp_path / "damaged.gguf", damage)
    with pytest.raises(BadInput, match=r"damaged\.gguf"):
        ask(model(path, tmp_path), questions(1))


def test_missing_flipped_and_templateless_files_are_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.gguf is missing"):
        model(tmp_path / "none.gguf", tmp_path).file()
    known = model(tiny, tmp_path).file()
    assert known
    flipped = bytearray(tiny.read_bytes())
    flipped[-1000] ^= 1
    (tmp_path / "flipped.gguf").write_bytes(flipped)
    with pytest.raises(BadInput, match="check CRATES_MODEL_SHA256"):
        model(tmp_path / "flipped.gguf", tmp_path, sha256=known.sha256).file()
    write_tiny_model(tmp_path / "base.gguf", template=None)
    with pytest.raises(BadInput, match="no chat template"):
        ask(model(tmp_path / "base.gguf", tmp_path), questions(1))


def test_too_large_for_memory_is_told_with_figures(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "available_bytes", lambda: 1 << 20)
    with pytest.raises(BadInput, match=r"need about 0\.2 GB of memory, and 0\.0 GB are available"):
        model(tiny, tmp_path).file()


def test_no_model_is_none(tmp_path: Path) -> None:
    assert model("", tmp_path).file() is None
