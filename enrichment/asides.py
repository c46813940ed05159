"""Sentences about the state of a project, its reader or its author, which do not describe the crate."""

import re

_ASIDE = re.compile(
    r"^\W*(?:wip\b|todo\b|warning|caution|attention|note\b|important\b|disclaimer|update:|hello|hi\b|hey\b|welcome|"
    r"thank|i\b|we\b|my\b|our\b|you\b|looking for|coming soon|placeholder|reserved)|[?:：？]$|"
    r"work[- ]in[- ]progress|under (?:heavy |active )?(?:construction|development)|"
    r"not (?:yet )?(?:ready|production|stable|complete|finished)|early (?:stage|development)|"
    r"(?:is|was|as) an? (?:\w+ )?fork of|^(?:a )?fork of|name squat|do(?:n't| not) (?:use|depend)|"
    r"you(?:'ll| will) love|ever (?:made|written)\b|made with\b|i'm\b|my (?:first|own)\b|"
    r"api (?:is|may|will) .{0,20}(?:change|stable|break)|^tl;?dr\b|"
    r"\b(?:ignore|disregard|forget)\b.{0,40}\b(?:instructions?|prompts?|rules)\b",
    re.IGNORECASE,
)


def is_aside(sentence: str) -> bool:
    """Whether a sentence does not describe the crate. Questions, lines that introduce a list and prompt injections are
    such sentences too."""
    return bool(_ASIDE.search(sentence))
