"""What the language model says to each prompt: asked once, then known from the table or the journal."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from resources.language_model import LanguageModel, Question, Reply
from resources.model_files import ModelFile
from resources.reply_journal import Journal, KeptReply

# a reply takes 2 to 8 s on the slowest core that was measured; far more is a machine that hangs
SECONDS = 60.0


@dataclass
class Asking:
    """Asks `model` through `language_model`, but never what `known` has the reply to. Counts for the UI."""

    language_model: LanguageModel
    model: ModelFile
    journal: Journal
    known: dict[str, KeptReply]  # by hash of the prompt
    reused: int = 0
    seconds: float = 0.0
    replies: list[KeptReply] = field(default_factory=list)

    def ask(self, prompts: Iterable[tuple[dict[str, str], ...]]) -> dict[str, KeptReply]:
        """The reply to each prompt, by `prompt_hash`. Each new one is kept as it comes."""
        from ml.enrichment.prompt import MAX_TOKENS, SCHEMA

        by_hash = {prompt_hash(messages): messages for messages in prompts}
        found = {key: self.known[key] for key in by_hash if key in self.known}
        self.reused += len(found)
        questions = [Question(key, messages) for key, messages in by_hash.items() if key not in found]
        started = time.monotonic()
        for reply in self.language_model.ask(questions, SCHEMA, MAX_TOKENS, SECONDS):
            found[reply.key] = self._keep(reply)
        self.seconds += time.monotonic() - started
        return found

    def _keep(self, reply: Reply) -> KeptReply:
        kept = KeptReply(
            prompt_sha256=reply.key,
            model=self.model.sha256,
            runtime=reply.runtime,
            text=reply.text,
            finish_reason=reply.finish_reason,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            seconds=reply.seconds,
            error=reply.error,
        )
        self.journal.write(kept)
        self.known[kept.prompt_sha256] = kept
        self.replies.append(kept)
        return kept


def prompt_hash(messages: tuple[dict[str, str], ...]) -> str:
    """What a reply is known by: the hash of the whole prompt, system message included."""
    return hashlib.sha256(json.dumps(messages, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def replies_of(rows: Iterable[dict]) -> Iterator[KeptReply]:
    """The replies that rows of the table hold."""
    shared = ("prompt_sha256", "model", "runtime", "finish_reason", "tokens_in", "tokens_out", "seconds")
    for row in rows:
        if row["reply"] is not None:
            yield KeptReply(text=row["reply"], error=None, **{name: row[name] for name in shared})
