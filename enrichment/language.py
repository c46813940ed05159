"""The language of a text, by py3langid: a naive Bayes model over bytes, whose file is not a pickle."""

import unicodedata
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

# the languages that crates are described in: a line of text is too short to distinguish all 139 of the model
LANGUAGES = (
    *("en", "zh", "ja", "ko", "ru", "de", "fr", "es", "pt", "it", "nl"),
    *("pl", "tr", "uk", "cs", "sv", "vi", "id", "ar", "fa", "he", "hi"),
)
MIN_LETTERS = 20  # a letter of Chinese, Japanese or Korean counts as 3
MIN_PROBABILITY = 0.7
MAX_CHARACTERS = 2_000  # that are classified


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier


def language(text: str) -> str | None:
    """ISO 639-1 code, one of `LANGUAGES`; None if the text is too short or the probability too low."""
    text = text[:MAX_CHARACTERS]
    letters = sum(3 if unicodedata.category(char) == "Lo" else char.isalpha() for char in text)
    if letters < MIN_LETTERS:
        return None
    code, probability = _identifier().classify(text)
    return code if probability >= MIN_PROBABILITY else None
