"""The program of a worker process: loads one model with llama.cpp and replies to questions.

It reads a job and then questions from stdin, and writes a reply to each to stdout, all as lines of JSON. It runs in a
process of its own, so that a model that hangs, crashes or runs out of memory does not harm the run.
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
MAX_GRAMMARS = 64  # that are cached: compiling one takes milliseconds


def main() -> None:
    """Reads questions from stdin, one JSON line each, and writes replies to stdout until stdin ends."""
    _end_with_parent()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # llama.cpp prints to stdout: send that to stderr, so that it does not mix with the replies
    os.dup2(2, 1)
    job = json.loads(sys.stdin.readline())
    try:
        model = _LoadedModel(**job)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        _send(replies, {"failed": f"{type(error).__name__}: {error}"})
        return
    _send(replies, {"runtime": model.runtime})
    for line in sys.stdin:
        _send(replies, model.reply(**json.loads(line)))


def _end_with_parent() -> None:
    """A killed parent closes stdin too, but a long generation would not notice."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _send(replies: TextIO, message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


@lru_cache(MAX_GRAMMARS)
def _grammar(schema: str) -> Any:
    """Compiled from a JSON schema only: llama.cpp crashes on a malformed GBNF string."""
    import llama_cpp

    return llama_cpp.LlamaGrammar.from_json_schema(schema, verbose=False)


class _LoadedModel:
    """A model that gives the same reply to the same question: temperature 0, one thread."""

    def __init__(self, path: str, context: int, max_tokens: int, seconds: float) -> None:
        import llama_cpp
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self._max_tokens, self._seconds = max_tokens, seconds
        self._llama = llama_cpp.Llama(path, n_ctx=context, n_threads=1, n_threads_batch=1, seed=0, verbose=False)
        template = self._llama.metadata.get("tokenizer.chat_template")
        if template is None:
            raise ValueError("the model has no chat template: use one that was trained to follow instructions")
        bos, eos = (self._token_text(token) for token in (self._llama.token_bos(), self._llama.token_eos()))
        self._formatter = Jinja2ChatFormatter(
            template=template, eos_token=eos, bos_token=bos, stop_token_ids=[self._llama.token_eos()]
        )
        features = " ".join(llama_cpp.llama_print_system_info().decode().split())
        self.runtime = f"llama-cpp-python {llama_cpp.__version__}, 1 thread, context {context}, {features}"

    def _token_text(self, token: int) -> str:
        return self._llama._model.token_get_text(token) if token != -1 else ""

    def reply(self, messages: list[dict[str, str]], schema: dict[str, Any]) -> dict[str, Any]:
        """Fields of a `Reply`. An error is that of this question alone."""
        started = time.monotonic()
        try:
            completed = self._complete(messages, _grammar(json.dumps(schema)), started + self._seconds)
        except (ValueError, RuntimeError) as error:
            self._llama.reset()  # so that the part of the prompt that was read is not used again
            completed = {"error": str(error)}
        return {**completed, "seconds": time.monotonic() - started}

    def _complete(self, messages: list[dict[str, str]], grammar: Any, deadline: float) -> dict[str, Any]:
        from llama_cpp import StoppingCriteriaList

        prompt = self._formatter(messages=messages)  # type: ignore[arg-type]
        tokens = self._llama.tokenize(prompt.prompt.encode(), add_bos=not prompt.added_special, special=True)
        max_prompt = self._llama.n_ctx() - self._max_tokens
        if len(tokens) > max_prompt:  # llama.cpp would fail in the middle of the reply, with an unclear message
            raise ValueError(f"the prompt has {len(tokens)} tokens, and the context has room for {max_prompt}")
        is_late = False

        def check_deadline(*_: object) -> bool:
            nonlocal is_late
            is_late = time.monotonic() > deadline
            return is_late

        completion: Any = self._llama.create_completion(
            tokens,
            max_tokens=self._max_tokens,
            temperature=0.0,
            seed=0,
            grammar=grammar,
            stop=prompt.stop,
            stopping_criteria=StoppingCriteriaList([*(prompt.stopping_criteria or []), check_deadline]),
        )
        choice, usage = completion["choices"][0], completion["usage"]
        return {
            "text": choice["text"],
            "finish_reason": "time" if is_late else choice["finish_reason"],
            "tokens_in": usage["prompt_tokens"],
            "tokens_out": usage["completion_tokens"],
        }


if __name__ == "__main__":
    main()
