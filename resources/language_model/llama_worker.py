"""The child process that holds one llama.cpp: a job, then questions, as JSON lines on stdin; replies on stdout.

`language_model.py` starts it, so that a model that hangs, dies or takes all memory harms no one else.
"""

import ctypes
import json
import os
import signal
import sys
import time
from functools import lru_cache
from typing import Any, TextIO

PR_SET_PDEATHSIG = 1
GRAMMARS = 64  # that are held: to make one costs milliseconds


def main() -> None:
    _die_with_parent()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # what llama.cpp prints must not stand between the replies
    os.dup2(2, 1)
    job = json.loads(sys.stdin.readline())
    try:
        reader = _Reader(job)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        _send(replies, {"failed": f"{type(error).__name__}: {error}"})
        return
    _send(replies, {"runtime": reader.runtime})
    for line in sys.stdin:
        _send(replies, reader.reply(**json.loads(line)))


def _die_with_parent() -> None:
    """A parent that is killed closes stdin too, but a long generation would not see it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _send(replies: TextIO, message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


@lru_cache(GRAMMARS)
def _grammar(schema: str) -> Any:
    """From a schema only: llama.cpp dies of a malformed grammar."""
    import llama_cpp

    return llama_cpp.LlamaGrammar.from_json_schema(schema, verbose=False)


class _Reader:
    """One model. The same question gets the same reply: temperature 0, one thread."""

    def __init__(self, job: dict[str, Any]) -> None:
        import llama_cpp
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self._job = job
        self._llama = llama_cpp.Llama(
            job["path"], n_ctx=job["context"], n_threads=1, n_threads_batch=1, seed=0, verbose=False
        )
        template = self._llama.metadata.get("tokenizer.chat_template")
        if template is None:
            raise ValueError("the model has no chat template: take one that was made to follow instructions")
        bos, eos = (self._text_of(token) for token in (self._llama.token_bos(), self._llama.token_eos()))
        self._formatter = Jinja2ChatFormatter(
            template=template, eos_token=eos, bos_token=bos, stop_token_ids=[self._llama.token_eos()]
        )
        features = " ".join(llama_cpp.llama_print_system_info().decode().split())
        self.runtime = f"llama-cpp-python {llama_cpp.__version__}, 1 thread, context {job['context']}, {features}"

    def _text_of(self, token: int) -> str:
        return self._llama._model.token_get_text(token) if token != -1 else ""

    def reply(self, messages: list[dict[str, str]], schema: dict[str, Any]) -> dict[str, Any]:
        """What the model says, or an error: of this question alone."""
        started = time.monotonic()
        try:
            said = self._complete(messages, _grammar(json.dumps(schema)), started + self._job["seconds"])
        except (ValueError, RuntimeError) as error:
            self._llama.reset()  # what was read of the prompt is not to be reused
            said = {"error": str(error)}
        return {**said, "seconds": time.monotonic() - started}

    def _complete(self, messages: list[dict[str, str]], grammar: Any, deadline: float) -> dict[str, Any]:
        from llama_cpp import StoppingCriteriaList

        prompt = self._formatter(messages=messages)  # type: ignore[arg-type]
        tokens = self._llama.tokenize(prompt.prompt.encode(), add_bos=not prompt.added_special, special=True)
        room = self._llama.n_ctx() - self._job["max_tokens"]
        if len(tokens) > room:  # llama.cpp would fail in the middle of the reply, in words that say nothing
            raise ValueError(f"the prompt has {len(tokens)} tokens, the context has room for {room} beside a reply")
        out_of_time = False

        def late(*_: object) -> bool:
            nonlocal out_of_time
            out_of_time = time.monotonic() > deadline
            return out_of_time

        completion: Any = self._llama.create_completion(
            tokens,
            max_tokens=self._job["max_tokens"],
            temperature=0.0,
            seed=0,
            grammar=grammar,
            stop=prompt.stop,
            stopping_criteria=StoppingCriteriaList([*(prompt.stopping_criteria or []), late]),
        )
        choice, usage = completion["choices"][0], completion["usage"]
        return {
            "text": choice["text"],
            "finish_reason": "time" if out_of_time else choice["finish_reason"],
            "tokens_in": usage["prompt_tokens"],
            "tokens_out": usage["completion_tokens"],
        }


if __name__ == "__main__":
    main()
