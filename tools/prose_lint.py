"""Finds words that docs/glossary.md replaces: `python -m tools.prose_lint [FILE…]`, by default every tracked text file.

Prints a line for each finding and exits with 1 if there is any.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator

from resources.common.settings import PROJECT

SUFFIXES = {".py", ".md", ".sql", ".toml", ".yaml", ".yml", ""}
# lists of words, texts of others, and history
EXCLUDED = (
    "LICENSE",
    "CHANGELOG.md",
    "docs/glossary.md",
    "tools/prose_lint.py",
    "tests/unit/test_prose_lint.py",
    "benchmarks/golden/crates/",
    "enrichment/categories.toml",
    "enrichment/words.py",
    "sample/registry/",
    "tests/data/",
)
# regular expression, what to write instead
REPLACEMENTS = {
    r"(?-i:\b_?(MOST|LEAST|LONGEST|SHORTEST)_[A-Z])": "MAX_… or MIN_…",
    r"\b(most|fewest)_(bytes|seconds|rows|entries|tags)\b": "max_… or min_…",
    r"(?<![\w.])need\(": "require()",
    r"(?<![\w.])(?<!def )settle\(": "fsync_and_rename()",
    r"(?-i:\bAWAY\b)": "UNAVAILABLE",
    r"(?<!there )\b(is|are|was|were) no (?!longer|more|less|better|worse|such|way|reason|fault)\w": "is not a …",
    r"\banew\b": "again, or re-…",
    r"\bforet(old|ells?)\b": "predicted, predicts",
    r"\b(teach|teaches|taught)\b": "train, trained",
    r"\b(is|are|was|were|be|been) told\b": "is reported, is logged, receives",
    r"\b(told|said|asked) of\b": "a verb that names what happens",
    r"\b(says|said) so\b": "reports it, logs it",
    r"\btells (of|what|which|who|why|whether|how|the)\b": "reports, shows, logs",
    r"\bmend(s|ed|ing)?\b": "fix, or recovery_hint",
    r"(?<!['\"])\b(nobody|somebody|whoever)\b(?!['\"]| can act)": "nothing, no process, the caller",
    r"\bstands?\b(?! (for|in for|in when|in if|alone|still)\b)": "is",
    r"\bstood\b(?! (on|at)\b)": "was",
    r"\blies (in|at|on|over|under|beside|before|after|outside)\b": "is",
    r"\bpass(es|ed) over\b": "skips, ignores",
    r"(?<!one )(?<!each )(?<!all )(?<!some )\bof which\b|\b(that|those) which\b": "two sentences, or a noun",
    r"\bcame true\b|\bit comes true\b|\bwhat (really )?came\b": "happens, outcome, positive",
    r"\bhangs? on\b": "depends on",
    r"\bin vain\b": "without success",
    r"\bfor ever\b": "forever",
    r"\bwithout a word\b": "without a message",
    r"\b(wherein|whereof|thereof|hitherto|henceforth|lest|amidst|naught|nought)\b": "a plain word",
}
RULES = [(re.compile(pattern, re.IGNORECASE), better) for pattern, better in REPLACEMENTS.items()]


def main(names: list[str]) -> int:
    count = 0
    for name in filter(is_checked, names or tracked_files()):
        for line, found, better in findings((PROJECT / name).read_text(encoding="utf-8")):
            print(f"{name}:{line}: {found!r}: write {better}")
            count += 1
    if count:
        print(f"{count} findings; docs/glossary.md has the words", file=sys.stderr)
    return 1 if count else 0


def findings(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, words found and what to write instead, in the order of the text."""
    for number, line in enumerate(text.splitlines(), start=1):
        for rule, better in RULES:
            for match in rule.finditer(line):
                yield number, match.group(), better


def is_checked(name: str) -> bool:
    path = PROJECT / name
    return path.suffix in SUFFIXES and not name.startswith(EXCLUDED) and path.is_file()


def tracked_files() -> Iterable[str]:
    done = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
