"""The passages that support a claim: they hold all its content words."""

from collections.abc import Iterable

from enrichment.passages import Passage
from enrichment.words import Words, stems, words

MAX_PASSAGES = 3


class Evidence:
    """The passages of a crate. `context` is the crate's name, whose words need no support."""

    def __init__(self, passages: Iterable[Passage], context: Iterable[str] = ()) -> None:
        self.passages = list(passages)
        self._words = [words(passage.text).all for passage in self.passages]
        self._context = stems(context)

    def support(self, claim: str) -> list[Passage] | None:
        """Passages that together hold every content word of a claim with the same polarity (negated or not).

        At most `MAX_PASSAGES`, in reading order; None if there are no such passages or the claim has no content words.
        Words are compared by stem, numbers and identifiers exactly. Greedy: the passage with the most missing words is
        chosen first, and the earlier one of two with as many.
        """
        claimed = self._needing_support(words(claim))
        if not claimed:
            return None
        missing, chosen = set(claimed), []
        while missing and len(chosen) < MAX_PASSAGES:
            best = max(range(len(self.passages)), key=lambda i: len(missing & self._words[i]), default=None)
            if best is None or not missing & self._words[best]:
                return None
            missing -= self._words[best]
            chosen.append(best)
        return None if missing else [self.passages[i] for i in sorted(chosen)]

    def missing_words(self, claim: str) -> list[str]:
        """The content words of a claim that no passage holds with the same polarity, sorted."""
        known = frozenset().union(*self._words)
        return sorted(form for form, negated in self._needing_support(words(claim)) if (form, negated) not in known)

    def _needing_support(self, claimed: Words) -> frozenset[tuple[str, bool]]:
        return frozenset((form, negated) for form, negated in claimed.content if negated or form not in self._context)
