"""Threads that share questions out among worker processes, one process to a thread."""

import queue
import threading
from collections.abc import Iterable, Iterator

from resources.common.errors import BadInput
from resources.language_model.questions import Question, Reply
from resources.language_model.worker_process import Job, WorkerFailed, WorkerProcess

MAX_STARTS = 3  # in a row that fail: then the model is at fault, not the machine


class WorkerPool:
    """The questions that are left, the replies so far, and the processes to kill at the end. For one call of `replies`.

    `model` is the sha256 of the model's file.
    """

    def __init__(self, job: Job, model: str, questions: Iterable[Question]) -> None:
        self._job, self._model, self._questions = job, model, iter(questions)
        self._lock = threading.Lock()
        self._done: queue.Queue[Reply | Exception | None] = queue.Queue()
        self._processes: list[WorkerProcess] = []
        self._is_stopped = False

    def replies(self, workers: int) -> Iterator[Reply]:
        """The reply to each question, as soon as it is ready. No process is left when it returns or is closed."""
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            yield from self._received(workers)
        finally:
            self._stop()
            for thread in threads:
                thread.join()

    def _received(self, workers: int) -> Iterator[Reply]:
        while workers:
            found = self._done.get()
            if isinstance(found, Exception):
                raise found
            if found is None:
                workers -= 1
            else:
                yield found

    def _stop(self) -> None:
        with self._lock:
            self._is_stopped = True
            for process in self._processes:
                process.kill()

    def _work(self) -> None:
        """Asks until no question is left. Any error is raised where the replies are read."""
        process: WorkerProcess | None = None
        try:
            while (question := self._next()) is not None:
                process = process or self._start()
                try:
                    received = process.ask(question)
                    self._done.put(Reply(question.key, self._model, process.runtime, **received))
                except WorkerFailed as error:
                    self._done.put(Reply(question.key, self._model, process.runtime, 0.0, error=str(error)))
                    process = None
        except Exception as error:
            self._done.put(error)
        finally:
            if process:
                process.close()
            self._done.put(None)

    def _next(self) -> Question | None:
        with self._lock:
            return None if self._is_stopped else next(self._questions, None)

    def _start(self) -> WorkerProcess:
        for attempt in range(1, MAX_STARTS + 1):
            process = WorkerProcess(self._job)
            with self._lock:
                # known before it loads, which may take minutes: `_stop` kills it then too
                self._processes.append(process)
                if self._is_stopped:
                    process.kill()
            try:
                process.load()
                return process
            except WorkerFailed as error:
                if attempt == MAX_STARTS or self._is_stopped:
                    raise BadInput(f"llama.cpp cannot load {self._job.path}: {error}") from error
        raise AssertionError("unreachable")
