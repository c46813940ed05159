"""What a language model is asked, and what it replies."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Question:
    """A prompt and the JSON schema of its reply.

    The system message is the first of `messages`. Questions that share it should follow each other: the model then
    reads it once. `key` identifies the question in the replies.
    """

    key: str
    messages: tuple[dict[str, str], ...]
    schema: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """The reply to a question; `error` is the reason where there is no `text`.

    `model` is the sha256 of the model's file. `seconds` are those of one core. `finish_reason` is "stop", "length" (no
    tokens were left: the JSON is cut) or "time" (no seconds were left).
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
    def is_final(self) -> bool:
        """Whether the model would reply the same again. It would not if its process died, hung or was too slow."""
        return self.text is not None and self.finish_reason != "time"
