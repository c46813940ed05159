"""The language model: the one place that knows llama.cpp. Replies come from child processes, one thread each."""

import os
import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from dagster import ConfigurableResource

from resources.common.errors import BadInput
from resources.common.memory import available_bytes
from resources.language_model.llama_child import Child, ChildFailed
from resources.language_model.model_files import ModelFile, find_model

HOW_TO_TURN_ON = "run make model, then set CRATES_MODEL=qwen2.5-coder-0.5b and run again (docs/enrichment.md)"
STARTS = 3  # in a row that fail: it is the model, not the machine
# measured with Q4_K_M: 0.75 GB for 0.49, 1.95 for 1.12 (weights are repacked for the CPU), and the context
PER_BYTE, BESIDE = 1.6, 200 << 20


@dataclass(frozen=True)
class Question:
    """One prompt: chat messages, the system's first, which is the same for many so that it is read once; and the JSON
    schema of the reply."""

    key: str
    messages: tuple[dict[str, str], ...]
    schema: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What the model said to a question; `error` says why there is no text. `seconds` of one core.

    `model` is the sha256 of its file, `finish_reason` is "stop", "length" (out of tokens: the JSON is cut) or "time".
    """

    key: str
    model: str
    runtime: str
    seconds: float
    text: str | None = None
    finish_reason: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    error: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is what the model says to this question always; else a machine died, hung or was too slow."""
        return self.text is not None and self.finish_reason != "time"


class LanguageModel(ConfigurableResource):
    """`model` is a name of `model_files.NAMED`, a path, or '' for none; `context` is in tokens."""

    model: str
    sha256: str
    folder: str
    context: int = 2048
    workers: int = 2

    def file(self) -> ModelFile | None:
        """The model, checked; None if none is configured. Raises BadInput if it cannot be used as it is."""
        if not self.model:
            return None
        if find_spec("llama_cpp") is None:
            raise BadInput(f"{self.model}: llama-cpp-python is not installed: make .venv/model-ready builds it, once")
        found = find_model(self.model, self.sha256, self.folder)
        need, have = self._workers * int(found.bytes * PER_BYTE + BESIDE), available_bytes()
        if have is not None and need > have:
            raise BadInput(
                f"{found.path}: {self._workers} workers need about {need / 2**30:.1f} GB of memory, and "
                f"{have / 2**30:.1f} GB are available: take a smaller model, or CRATES_MODEL_WORKERS=1"
            )
        return found

    @property
    def _workers(self) -> int:
        return max(1, min(self.workers, os.cpu_count() or 1))

    def ask(self, questions: Iterable[Question], max_tokens: int, seconds: float) -> Iterator[Reply]:
        """One reply to each question, in JSON of its schema, as they are ready. A question that kills its process has
        the error, and the others go on. Raises BadInput if the model cannot be loaded."""
        model = self.file()
        if model is None:
            raise BadInput(f"no language model is configured: {HOW_TO_TURN_ON}")
        limits = {"max_tokens": max_tokens, "seconds": seconds}
        job = {"path": str(model.path), "context": self.context, **limits}
        asking = _Asking(job, model.sha256, iter(questions))
        workers = [threading.Thread(target=asking.work, daemon=True) for _ in range(self._workers)]
        for worker in workers:
            worker.start()
        try:
            yield from asking.replies(len(workers))
        finally:
            asking.stop()
            for worker in workers:
                worker.join()


class _Asking:
    """What the threads share: the questions left, the replies so far, and the children, to be killed at the end."""

    def __init__(self, job: dict[str, Any], model: str, questions: Iterator[Question]) -> None:
        self._job, self._model, self._questions = job, model, questions
        self._lock = threading.Lock()
        self._done: queue.Queue[Reply | Exception | None] = queue.Queue()
        self._children: list[Child] = []
        self._stopped = False

    def replies(self, workers: int) -> Iterator[Reply]:
        while workers:
            found = self._done.get()
            if isinstance(found, Exception):
                raise found
            if found is None:
                workers -= 1
            else:
                yield found

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for child in self._children:
                child.kill()

    def work(self) -> None:
        """Asks until no question is left. Whatever goes wrong is raised where the replies are read."""
        child: Child | None = None
        try:
            while (question := self._next()) is not None:
                child = child or self._start()
                try:
                    said = child.ask(question.messages, question.schema)
                    self._done.put(Reply(question.key, self._model, child.runtime, **said))
                except ChildFailed as error:
                    self._done.put(Reply(question.key, self._model, child.runtime, 0.0, error=str(error)))
                    child = None
        except Exception as error:
            self._done.put(error)
        finally:
            if child:
                child.close()
            self._done.put(None)

    def _next(self) -> Question | None:
        with self._lock:
            return None if self._stopped else next(self._questions, None)

    def _start(self) -> Child:
        for attempt in range(1, STARTS + 1):
            child = Child(self._job)
            with self._lock:
                # one that loads for minutes is killed too when nobody reads on
                self._children.append(child)
                if self._stopped:
                    child.kill()
            try:
                child.load()
                return child
            except ChildFailed as error:
                if attempt == STARTS or self._stopped:
                    raise BadInput(f"{self._job['path']} cannot be loaded by llama.cpp: {error}") from error
        raise AssertionError("unreachable")
