"""One child process with a model: started, asked, and killed when it does not answer in time."""

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from resources.common.settings import PROJECT

START_SECONDS = 300.0  # a large model from a cold disk
GRACE_SECONDS = 20.0  # over what a reply may take: reading the prompt is not counted there
LONGEST_LINE = 1 << 20


class ChildFailed(Exception):
    """The child died, hung or could not load the model; it is gone now."""


@dataclass
class Child:
    """A child process, started. For one thread, but `kill`, which any may call."""

    job: dict[str, Any]
    runtime: str = ""
    _process: subprocess.Popen[bytes] = field(init=False)
    _read: bytes = b""

    def __post_init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "resources.language_model.llama_worker"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def load(self) -> None:
        """Has it load the model. Raises ChildFailed."""
        loaded = self._exchange(self.job, START_SECONDS)
        if "runtime" not in loaded:
            self.close()
            raise ChildFailed(str(loaded.get("failed", "said nothing of its model")))
        self.runtime = str(loaded["runtime"])

    def ask(self, messages: tuple[dict[str, str], ...], schema: dict[str, Any]) -> dict[str, Any]:
        """The reply to one question. Raises ChildFailed."""
        return self._exchange({"messages": messages, "schema": schema}, self.job["seconds"] + GRACE_SECONDS)

    def kill(self) -> None:
        """Ends it, whatever it does; who waits for it sees its output end."""
        self._process.kill()

    def close(self) -> None:
        """Ends it and frees what it held."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _exchange(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        try:
            assert self._process.stdin
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
            reply = json.loads(self._line(time.monotonic() + seconds, seconds))
        except (OSError, ValueError) as error:
            self.close()
            raise ChildFailed(self._ending(error)) from error
        except ChildFailed:
            self.close()
            raise
        return reply

    def _line(self, deadline: float, seconds: float) -> bytes:
        assert self._process.stdout
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._read:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ChildFailed(f"no answer in {seconds:.0f} s: it was ended")
            more = os.read(pipe, 1 << 16)
            if not more or len(self._read) > LONGEST_LINE:
                self.close()
                raise ChildFailed(self._ending("its output ended"))
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _ending(self, why: object) -> str:
        code = self._process.returncode
        return f"the process with the model ended by signal {-code}" if code and code < 0 else f"it ended ({why})"
