"""The content words of a claim or a passage as stems, each with its polarity (negated or not)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\d+(?:[.,]\d+)+|[^\W_]+(?:(?:::|_)[^\W_]+)*(?:['’](?:s|t|re|ve|ll)\b)?|[,;:.()!?–—。，；、](?= |$)|[。，；、]"
)
_JOINED = re.compile(r"(?<=[a-z])[-/](?=\d)|(?<=\bnon)-|(?<=\bre)-|(?<=\bde)-")
_NO_STD = re.compile(r"\bno[-_ ]std\b")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_STOP_WORDS = _set(
    "a an the and or of to in on at by for from with into onto over via as is are was were be been being it its this "
    "that these those which who whose what when where while if then than so such can could may might will would shall "
    "should must do does did done has have had having you your we our they their them he she i my me us one ones also "
    "just very more most much many some any each every all both other others another own same about between through "
    "during per up out off but yet only even there here how etc e.g i.e eg ie vs them's itself themselves like"
)
# true of nearly every crate: a claim needs no support for them
NEUTRAL = _set(
    "library libraries crate crates rust rustlang package packages module tool tools toolkit utility utilities "
    "provide provides provided providing offer offers offering written write implemented implementation "
    "implementations implements implement use uses used using user users allow allows allowing enable enables "
    "enabling let lets help helps make makes making made work works working feature features featuring include "
    "includes including contain contains containing simple simply easy easily developer developers programmer "
    "programmers program programs project projects application applications code based way ways various several "
    "functionality support supports supporting supported designed ability create creates creating given well "
    "useful handle handles handling perform performs performing set collection type types different"
)
_BEFORE_AND_AFTER = _set("not never cannot isnt dont doesnt wont cant didnt arent neither nor")
_AFTER = _set("no without none lacks lack")
_BORDERS = _set("but that which because while whereas although though and so")

# short forms, and the stems of their long forms
_ABBREVIATIONS = {
    "async": "asynchron",
    "sync": "synchron",
    "arg": "argument",
    "args": "argument",
    "config": "configur",
    "configs": "configur",
    "dir": "directori",
    "dirs": "directori",
    "db": "databas",
    "repo": "repositori",
    "repos": "repositori",
}
_ENDINGS = (
    "ingly",
    "edly",
    "ally",
    "ing",
    "ed",
    "able",
    "ible",
    "ers",
    "er",
    "ors",
    "or",
    "ions",
    "ion",
    "ly",
    "ness",
    "ous",
)


@dataclass(frozen=True)
class Words:
    """Pairs (form, negated): `content` words need support, `neutral` words do not."""

    content: frozenset[tuple[str, bool]]
    neutral: frozenset[tuple[str, bool]]

    @property
    def all(self) -> frozenset[tuple[str, bool]]:
        """Content and neutral words."""
        return self.content | self.neutral


def words(text: str) -> Words:
    """The words of a text in lower case. Words are stemmed, numbers and identifiers are not."""
    content, neutral = set(), set()
    for clause in _clauses(_normal(text)):
        all_negated = any(t in _BEFORE_AND_AFTER for t in clause)
        negated = False
        for token in clause:
            negated = negated or token in _AFTER
            if token in _STOP_WORDS or token in _AFTER or token in _BEFORE_AND_AFTER:
                continue
            into = neutral if token in NEUTRAL else content
            into.update((form, negated or all_negated) for form in forms(token))
    return Words(frozenset(content), frozenset(neutral))


def stems(texts: Iterable[str]) -> frozenset[str]:
    """The forms of all words of the texts, of either polarity."""
    return frozenset(form for text in texts for form, _ in words(text).all)


def _normal(text: str) -> str:
    text = text.replace("’", "'").casefold()
    text = _NO_STD.sub("no_std", text)
    text = re.sub(r"\bnot (?:only|just|limited)\b", " ", text)
    text = re.sub(r"n't\b", " not ", text)
    # the crate does not do what it leaves to others
    text = re.sub(r"\b(?:out of scope|up to you|left to you)\b", " not ", text)
    return _JOINED.sub("", text)


def _clauses(text: str) -> Iterable[list[str]]:
    clause: list[str] = []
    for found in _TOKEN.finditer(text):
        token = found[0].split("'")[0]
        if not token[0].isalnum() or token in _BORDERS:
            yield clause
            clause = []
        else:
            clause.append(token)
    yield clause


def forms(token: str) -> list[str]:
    """The forms that a word is compared by.

    The stem of a word; a number or an identifier itself; the pairs of characters of Chinese, Japanese and Korean, which
    are written without spaces.
    """
    if _WIDE.search(token):
        return [token[i : i + 2] for i in range(max(len(token) - 1, 1))]
    if "_" in token or "::" in token or any(char.isdigit() for char in token):
        return [token]
    return [stem(token)]


def stem(word: str) -> str:
    """A word without its ending, so that parse, parses, parser and parsing are the same."""
    if word in _ABBREVIATIONS:
        return _ABBREVIATIONS[word]
    word = re.sub(r"(?<=\w{3})is(?=(?:e|es|ed|er|ers|ing|ation|ations|able)$)", "iz", word)
    word = re.sub(r"(?<=\w{2})our(?=s?$|ed$|ing$)", "or", word)
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    while ending := next((e for e in _ENDINGS if word.endswith(e) and _is_ending(word, e)), None):
        word = word[: -len(ending)]
        if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
            word = word[:-1]
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    if word.endswith("at") and len(word) > 6:
        word = word[:-2]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word


def _is_ending(word: str, ending: str) -> bool:
    """Whether `ending` can be removed: a vowel is left before it, and a t or s before -or and -ion."""
    rest = word[: -len(ending)]
    if len(rest) < 3:
        return False
    if ending in ("or", "ors", "ion", "ions") and rest[-1] not in "ts":
        return False
    return any(char in "aeiouy" for char in rest)
