"""What the language model says to each prompt: asked once, then known from the table, the journal or the cache."""

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

# a reply takes 2 to 8 s on the slowest core that was measured; far more is a machine that hangs
SECONDS = 60.0
KEEP_S = 365 * 86400.0


@dataclass
class Asking:
    """Asks the language model, but never what `known` or `cache` has its reply to. Counts for the UI."""

    language_model: LanguageModel
    model: ModelFile
    journal: Journal
    known: dict[str, Reply]  # by hash of the prompt
    cache: Cache
    reused: int = 0
    seconds: float = 0.0
    replies: list[Reply] = field(default_factory=list)

    def ask(self, questions: Iterable[Question]) -> dict[str, Reply]:
        """The reply to each question, by its key. Each new one that is whole is kept as it comes."""
        from enrichment.prompt import MAX_TOKENS

        by_key = {question.key: question for question in questions}
        self.known |= self._kept(key for key in by_key if key not in self.known)
        found = {key: self.known[key] for key in by_key if key in self.known}
        self.reused += len(found)
        new = [question for key, question in by_key.items() if key not in found]
        started = time.monotonic()
        for reply in self.language_model.ask(new, MAX_TOKENS, SECONDS):
            found[reply.key] = reply
            self._keep(reply)
        self.seconds += time.monotonic() - started
        return found

    def _keep(self, reply: Reply) -> None:
        self.replies.append(reply)
        if reply.is_final:
            self.journal.write(reply)
            self.known[reply.key] = reply
            self._cached.set(self._name(reply.key), reply)

    def _kept(self, keys: Iterable[str]) -> dict[str, Reply]:
        """Replies of this model that the cache has: also those that were given on another machine."""
        found = ((key, self._cached.get(self._name(key))) for key in keys)
        return {key: reply for key, reply in found if reply is not None}

    @property
    def _cached(self) -> Cache:
        return self.cache.namespace("replies", kind=Reply, ttl=KEEP_S, immutable=True)

    def _name(self, key: str) -> str:
        return f"{self.model.sha256}/{key}"


def question(messages: tuple[dict[str, str], ...], schema: dict[str, Any]) -> Question:
    """A question, known by the hash of its whole prompt, system message included."""
    told = json.dumps(messages, sort_keys=True).encode("utf-8", "surrogatepass")
    return Question(hashlib.sha256(told).hexdigest(), messages, schema)
