"""Which passages show that a claim is what the author says."""

from collections.abc import Iterable

from enrichment.passages import Passage
from enrichment.words import Words, stems, words

MOST_SPANS = 3


class Evidence:
    """The passages of a crate, with their words taken once. `context` is the crate's name: it need not be shown."""

    def __init__(self, passages: Iterable[Passage], context: Iterable[str] = ()) -> None:
        self.passages = list(passages)
        self._words = [words(passage.text).all for passage in self.passages]
        self._context = stems(context)

    def support(self, claim: str) -> list[Passage] | None:
        """At most `MOST_SPANS` passages, in reading order, that together hold every content word of a claim with the
        same polarity (negated or not); None if there are none, or the claim has no content.

        Words are compared by stem, numbers and identifiers as they stand. The passage that holds most of what is
        missing is taken first, the earlier of two that hold as much. A word of the crate's name counts as shown.
        """
        claimed = self._must_be_shown(words(claim))
        if not claimed:
            return None
        missing, chosen = set(claimed), []
        while missing and len(chosen) < MOST_SPANS:
            best = max(range(len(self.passages)), key=lambda i: len(missing & self._words[i]), default=None)
            if best is None or not missing & self._words[best]:
                return None
            missing -= self._words[best]
            chosen.append(best)
        return None if missing else [self.passages[i] for i in sorted(chosen)]

    def unshown(self, claim: str) -> list[str]:
        """The content words of a claim that no passage holds with its polarity."""
        held = frozenset().union(*self._words)
        return sorted(form for form, negated in self._must_be_shown(words(claim)) if (form, negated) not in held)

    def _must_be_shown(self, claimed: Words) -> frozenset[tuple[str, bool]]:
        return frozenset((form, negated) for form, negated in claimed.content if negated or form not in self._context)
