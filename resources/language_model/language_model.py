"""The language model: GGUF files run by llama.cpp in worker processes with one thread each."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from resources.common.errors import BadInput
from resources.common.memory import available_bytes
from resources.language_model.model_files import ModelFile, find_model
from resources.language_model.questions import Question, Reply
from resources.language_model.worker_pool import WorkerPool
from resources.language_model.worker_process import Job

HOW_TO_TURN_ON = (
    "fetch one with `crates model fetch`, set CRATES_MODEL=qwen2.5-coder-0.5b and run again (docs/enrichment.md)"
)
# measured with Q4_K_M: 0.75 GB for a file of 0.49 GB, 1.95 GB for 1.12 GB (the CPU needs weights in another order)
MEMORY_PER_FILE_BYTE, FIXED_MEMORY_BYTES = 1.6, 200 << 20


@dataclass(frozen=True)
class LanguageModel:
    """A language model that may not be configured.

    `model` is a name of `model_files.NAMED`, a path, or '' for none. `sha256` is the expected hash of a model given by
    path, or ''. `folder` holds the named models. `context` is in tokens, `workers` is a number of processes.
    """

    model: str
    sha256: str
    folder: str
    context: int = 2048
    workers: int = 2

    def file(self) -> ModelFile | None:
        """The checked file of the model; None if no model is configured.

        Raises BadInput if the model is missing or not the expected one, needs more memory than is available, or
        llama-cpp-python is not installed.
        """
        if not self.model:
            return None
        if find_spec("llama_cpp") is None:
            raise BadInput(f"{self.model} needs llama-cpp-python, which is not installed: run make .venv/model-ready")
        found = find_model(self.model, self.sha256, self.folder)
        needed = self._processes * int(found.bytes * MEMORY_PER_FILE_BYTE + FIXED_MEMORY_BYTES)
        available = available_bytes()
        if available is not None and needed > available:
            raise BadInput(
                f"{found.path}: {self._processes} workers need about {needed / 2**30:.1f} GB of memory, and "
                f"{available / 2**30:.1f} GB are available: use a smaller model or set CRATES_MODEL_WORKERS=1"
            )
        return found

    @property
    def _processes(self) -> int:
        return max(1, min(self.workers, os.cpu_count() or 1))

    def ask(self, questions: Iterable[Question], max_tokens: int, seconds: float) -> Iterator[Reply]:
        """One reply to each question, as soon as it is ready.

        A reply is JSON of the question's schema, of at most `max_tokens` tokens, and takes at most `seconds`. If a
        question kills its worker, its reply has the error, and the other questions go on. Raises BadInput if the model
        cannot be loaded.
        """
        model = self.file()
        if model is None:
            raise BadInput(f"no language model is configured: {HOW_TO_TURN_ON}")
        job = Job(str(model.path), self.context, max_tokens, seconds)
        yield from WorkerPool(job, model.sha256, questions).replies(self._processes)
