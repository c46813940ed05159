"""Calls of the language model. A prompt whose reply is in the table, the journal or the cache is not sent again."""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from resources.cache import Cache
from resources.language_model.language_model import LanguageModel
from resources.language_model.model_files import ModelFile
from resources.language_model.questions import Question, Reply
from resources.language_model.reply_journal import Journal

# a reply took 2 to 8 s on the slowest core that was measured: one that takes far longer hangs
MAX_SECONDS = 60.0
TTL_SECONDS = 365 * 86400.0


@dataclass
class LlmCalls:
    """Sends questions to the language model and counts for the UI.

    `known` are replies by the hash of their prompt. `replies` are the new ones, `reused` is the number of others, and
    `seconds` is the time that the new ones took.
    """

    language_model: LanguageModel
    model: ModelFile
    journal: Journal
    known: dict[str, Reply]
    cache: Cache
    reused: int = 0
    seconds: float = 0.0
    replies: list[Reply] = field(default_factory=list)

    def ask(self, questions: Iterable[Question]) -> dict[str, Reply]:
        """The reply to each question by its key. A new final reply is written to journal and cache when it arrives."""
        from enrichment.prompt import MAX_TOKENS

        by_key = {question.key: question for question in questions}
        self.known |= self._cached(key for key in by_key if key not in self.known)
        found = {key: self.known[key] for key in by_key if key in self.known}
        self.reused += len(found)
        new = [question for key, question in by_key.items() if key not in found]
        started = time.monotonic()
        for reply in self.language_model.ask(new, MAX_TOKENS, MAX_SECONDS):
            found[reply.key] = reply
            self._add(reply)
        self.seconds += time.monotonic() - started
        return found

    def _add(self, reply: Reply) -> None:
        self.replies.append(reply)
        if reply.is_final:
            self.journal.write(reply)
            self.known[reply.key] = reply
            self._namespace.set(self._cache_key(reply.key), reply)

    def _cached(self, keys: Iterable[str]) -> dict[str, Reply]:
        """Replies of this model in the cache; with Redis also those to other machines."""
        found = ((key, self._namespace.get(self._cache_key(key))) for key in keys)
        return {key: reply for key, reply in found if reply is not None}

    @property
    def _namespace(self) -> Cache:
        return self.cache.namespace("replies", kind=Reply, ttl=TTL_SECONDS, immutable=True)

    def _cache_key(self, key: str) -> str:
        return f"{self.model.sha256}/{key}"


def question(messages: tuple[dict[str, str], ...], schema: dict[str, Any]) -> Question:
    """A question whose key is the hash of its whole prompt, system message included."""
    prompt = json.dumps(messages, sort_keys=True).encode("utf-8", "surrogatepass")
    return Question(hashlib.sha256(prompt).hexdigest(), messages, schema)
