"""The language of a text, by py3langid: a naive Bayes model over bytes, kept as arrays of numbers (no pickle)."""

import unicodedata
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

# those that texts of crates are written in: telling 139 apart in a line of text would be guessing
LANGUAGES = (
    *("en", "zh", "ja", "ko", "ru", "de", "fr", "es", "pt", "it", "nl"),
    *("pl", "tr", "uk", "cs", "sv", "vi", "id", "ar", "fa", "he", "hi"),
)
LETTERS = 20  # fewer are too few; a letter of Chinese, Japanese or Korean counts as 3
SURE = 0.7  # probability
CHARACTERS = 2_000  # that are looked at


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier


def language(text: str) -> str | None:
    """ISO 639-1 code, one of `LANGUAGES`; None if the text is too short or the model unsure."""
    text = text[:CHARACTERS]
    letters = sum(3 if unicodedata.category(char) == "Lo" else char.isalpha() for char in text)
    if letters < LETTERS:
        return None
    code, probability = _identifier().classify(text)
    return code if probability >= SURE else None
