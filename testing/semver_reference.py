"""A reference implementation of Cargo's versions and requirements: parsing, order and matching of `semver` 1.x.

It is written to be compared with those rules by reading, not for speed, and shares no code with the tested SQL.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

U64_MAX = 2**64 - 1
MAX_COMPARATORS = 32

NUMBER = "(?:0|[1-9][0-9]*)"
WILDCARD = "[*xX]"
BUILD_PART = "[0-9A-Za-z-]+"
# letters, digits and hyphens; no leading zeros if it has digits only
PRE_PART = f"(?:{NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
PRE = rf"-(?P<pre>{PRE_PART}(?:\.{PRE_PART})*)"
BUILD = rf"\+(?P<build>{BUILD_PART}(?:\.{BUILD_PART})*)"

VERSION = re.compile(rf"(?P<major>{NUMBER})\.(?P<minor>{NUMBER})\.(?P<patch>{NUMBER})(?:{PRE})?(?:{BUILD})?")

# A part may be missing or a wildcard only if every later part is too; pre-release and build need a patch number.
COMPARATOR = re.compile(
    rf"""
    (?P<op> >= | <= | [=><~^] )? [ ]*
    (?P<major> {NUMBER} )
    (?: (?P<any_minor> \.{WILDCARD} (?: \.{WILDCARD} )? )
      | \.(?P<minor> {NUMBER} )
        (?: (?P<any_patch> \.{WILDCARD} )
          | \.(?P<patch> {NUMBER} ) (?:{PRE})? (?:{BUILD})?
        )?
    )?
    """,
    re.VERBOSE,
)

Identifiers = tuple[str, ...]
Rank = tuple[tuple[int, int, int, str], ...]


class NotSemver(ValueError):
    """The text is not a valid version or requirement."""


def rank_of(identifiers: Identifiers) -> Rank:
    """Numeric identifiers sort before others, by value, then by length; others sort by their ASCII text.

    Only build metadata may have leading zeros, so only there the length matters: 0 < 00 < 1 < 01.
    Identifiers are compared from the left, and a list sorts after its prefixes.
    """
    return tuple((0, int(text), len(text), "") if text.isdigit() else (1, 0, 0, text) for text in identifiers)


def release_last(pre: Identifiers) -> tuple[bool, Rank]:
    """A release sorts after all its pre-releases."""
    return not pre, rank_of(pre)


@dataclass(frozen=True)
class Version:
    """One version: three numbers, and the identifiers of its pre-release and its build metadata."""

    numbers: tuple[int, int, int]
    pre: Identifiers
    build: Identifiers

    @cached_property
    def pre_rank(self) -> tuple[bool, Rank]:
        return release_last(self.pre)

    @cached_property
    def rank(self) -> tuple:
        """The sort key: numbers, then pre-release, then build metadata."""
        return self.numbers, self.pre_rank, rank_of(self.build)


@dataclass(frozen=True)
class Comparator:
    """One condition: an operator, one to three numbers, and a pre-release. Build metadata is ignored."""

    op: str
    numbers: tuple[int, ...]
    pre: Identifiers

    @cached_property
    def pre_rank(self) -> tuple[bool, Rank]:
        return release_last(self.pre)

    @property
    def is_full(self) -> bool:
        return len(self.numbers) == 3


Requirement = tuple[Comparator, ...]


def parse_version(text: str) -> Version:
    """`major.minor.patch`, then `-pre.release` and `+build.metadata` if any."""
    found = VERSION.fullmatch(text)
    if not found:
        raise NotSemver(text)
    major, minor, patch = (number(found[part]) for part in ("major", "minor", "patch"))
    return Version((major, minor, patch), identifiers(found["pre"]), identifiers(found["build"]))


def parse_requirement(text: str) -> Requirement:
    """Comparators separated by commas, all of which must hold; a single wildcard is always true."""
    if re.fullmatch(WILDCARD, text.strip(" ")):
        return ()
    parts = text.split(",")
    if len(parts) > MAX_COMPARATORS:
        raise NotSemver(text)
    return tuple(parse_comparator(part.strip(" ")) for part in parts)


def parse_comparator(text: str) -> Comparator:
    """An operator and a version that may be partial. The default operator is `=` with a wildcard, else `^`."""
    found = COMPARATOR.fullmatch(text)
    if not found:
        raise NotSemver(text)
    given = tuple(number(found[part]) for part in ("major", "minor", "patch") if found[part] is not None)
    default = "=" if found["any_minor"] or found["any_patch"] else "^"
    return Comparator(found["op"] or default, given, identifiers(found["pre"]))


def number(text: str) -> int:
    """A number that fits in 64 bits."""
    if int(text) > U64_MAX:
        raise NotSemver(text)
    return int(text)


def identifiers(dotted: str | None) -> Identifiers:
    return tuple(dotted.split(".")) if dotted else ()


def matches(requirement: Requirement, version: Version) -> bool:
    """All comparators hold, and a pre-release needs a comparator that has one with the same three numbers."""
    if not all(RULES[comparator.op](comparator, version) for comparator in requirement):
        return False
    return not version.pre or any(c.pre and c.numbers == version.numbers for c in requirement)


def matches_exact(comparator: Comparator, version: Version) -> bool:
    """The given numbers and the pre-release are equal."""
    return version.numbers[: len(comparator.numbers)] == comparator.numbers and version.pre == comparator.pre


def matches_greater(comparator: Comparator, version: Version) -> bool:
    """Greater in the given numbers or, if all three are given and equal, in the pre-release."""
    numbers = version.numbers[: len(comparator.numbers)]
    if numbers != comparator.numbers:
        return numbers > comparator.numbers
    return comparator.is_full and version.pre_rank > comparator.pre_rank


def matches_less(comparator: Comparator, version: Version) -> bool:
    """Less in the given numbers or, if all three are given and equal, in the pre-release."""
    numbers = version.numbers[: len(comparator.numbers)]
    if numbers != comparator.numbers:
        return numbers < comparator.numbers
    return comparator.is_full and version.pre_rank < comparator.pre_rank


def matches_tilde(comparator: Comparator, version: Version) -> bool:
    """Equal in the given major and minor numbers, and at least the given patch number and pre-release."""
    if version.numbers[: len(comparator.numbers[:2])] != comparator.numbers[:2]:
        return False
    if comparator.is_full and version.numbers != comparator.numbers:
        return version.numbers > comparator.numbers
    return version.pre_rank >= comparator.pre_rank


def matches_caret(comparator: Comparator, version: Version) -> bool:
    """At least the given version, and equal to it up to its first number that is not 0.

    A partial version is compared by its given numbers only, without the pre-release.
    """
    given = len(comparator.numbers)
    fixed = next((position for position, part in enumerate(comparator.numbers, 1) if part > 0), given)
    numbers = version.numbers[:given]
    if numbers[:fixed] != comparator.numbers[:fixed]:
        return False
    if numbers != comparator.numbers:
        return numbers > comparator.numbers
    return not comparator.is_full or version.pre_rank >= comparator.pre_rank


RULES: dict[str, Callable[[Comparator, Version], bool]] = {
    "=": matches_exact,
    ">": matches_greater,
    ">=": lambda c, v: matches_exact(c, v) or matches_greater(c, v),
    "<": matches_less,
    "<=": lambda c, v: matches_exact(c, v) or matches_less(c, v),
    "~": matches_tilde,
    "^": matches_caret,
}
