"""One worker process with a loaded model: starts it, asks it, and kills it if it does not reply in time."""

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from resources.common.settings import PROJECT
from resources.language_model.questions import Question

MODULE = "resources.language_model.llama_worker"  # what the process runs
MAX_LOAD_SECONDS = 300.0  # for a large model on a cold disk
GRACE_SECONDS = 20.0  # beyond the seconds of a reply, which do not count reading the prompt
MAX_LINE_BYTES = 1 << 20


class WorkerFailed(Exception):
    """The process died, hung or could not load the model. It has been ended."""


@dataclass(frozen=True)
class Job:
    """The model at `path` and the limits of all its replies; `context` and `max_tokens` are in tokens."""

    path: str
    context: int
    max_tokens: int
    seconds: float


@dataclass
class WorkerProcess:
    """A started process. For use by one thread, except `kill`, which any thread may call."""

    job: Job
    runtime: str = ""
    _process: subprocess.Popen[bytes] = field(init=False)
    _received: bytes = b""

    def __post_init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def load(self) -> None:
        """Waits until the model is loaded. Raises WorkerFailed."""
        loaded = self._exchange(asdict(self.job), MAX_LOAD_SECONDS)
        if "runtime" not in loaded:
            self.close()
            raise WorkerFailed(str(loaded.get("failed", "the process gave no reason")))
        self.runtime = str(loaded["runtime"])

    def ask(self, question: Question) -> dict[str, Any]:
        """The fields of the reply that the process knows. Raises WorkerFailed."""
        message = {"messages": question.messages, "schema": question.schema}
        return self._exchange(message, self.job.seconds + GRACE_SECONDS)

    def kill(self) -> None:
        """Ends the process, whatever it does. A thread that waits for a reply gets WorkerFailed."""
        self._process.kill()

    def close(self) -> None:
        """Ends the process and frees its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(BrokenPipeError):  # of a message that the process did not receive
                    pipe.close()

    def _exchange(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Sends one line and receives one."""
        try:
            assert self._process.stdin
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
            return json.loads(self._line(time.monotonic() + seconds, seconds))
        except (OSError, ValueError) as error:
            self.close()
            raise WorkerFailed(self._exit_reason(error)) from error
        except WorkerFailed:
            self.close()
            raise

    def _line(self, deadline: float, seconds: float) -> bytes:
        assert self._process.stdout
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._received:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise WorkerFailed(f"the model's process was killed: no reply in {seconds:.0f} s")
            more = os.read(pipe, 1 << 16)
            if not more or len(self._received) > MAX_LINE_BYTES:
                self.close()
                raise WorkerFailed(self._exit_reason("its output ended"))
            self._received += more
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _exit_reason(self, cause: object) -> str:
        code = self._process.returncode
        how = f"was killed by signal {-code}" if code and code < 0 else f"ended ({cause})"
        return f"the model's process {how}"
