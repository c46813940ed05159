"""Scores in plain words: natural frequencies, with the same for all crates beside them.

A probability is worded as "30 of 1,000 crates like it", since that can be read without statistics, and the base rate
has the same denominator, since only then can the two be compared at a glance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml.targets import MIN_COVERAGE, TARGETS

DENOMINATORS = (100, 1_000, 10_000)
TARGETS_BY_NAME = {target.name: target for target in TARGETS}
# effects in log-odds: an odds ratio of 3 or more is much, under 1.35 slight, under 1.1 not worth mentioning
MUCH, SLIGHT, NEGLIGIBLE = 1.1, 0.3, 0.1
EXTREME = 0.9  # shares of crates beyond it are worded per hundred, others per ten
MIN_SHARE = 0.05  # a smaller share of crates is not worth comparing with


@dataclass(frozen=True)
class Wording:
    """How one score is worded: its label, and what happens to some of the crates like it."""

    label: str
    happens: str


WORDINGS = {
    "maintenance": Wording("Maintenance", "publish a new version within {time}"),
    "popularity": Wording("Popularity", "gain a project that builds on them within {time}"),
    "security": Wording("Security risk", "get an advisory within {time}"),
    "dependency_health": Wording("Dependency risk", "have a vulnerability found in their build within {time}"),
    "quality": Wording("Quality", "gain a project and lose no more than they gain within {time}"),
}


def word_score(target: str, score: Mapping[str, Any]) -> str:
    """One sentence about a score of `look_up`: how many crates like it, of all crates, and its place among them."""
    if not score["is_known"]:
        return unknown(score)
    low, high = sorted((score["worst"], score["best"]))
    denominator = common_denominator(low, score["base_rate"])
    happens = WORDINGS[target].happens.format(time=duration(score["horizon_days"]))
    return (
        f"{count_range(low, high, denominator)} of {denominator:,} crates like it {happens} "
        f"(all crates: {count(score['base_rate'], denominator)}; {place(score)})"
    )


def word_evidence(target: str, evidence: Mapping[str, Any]) -> str:
    """One fact, and which way it moves the score."""
    if evidence["topic"] == "build":  # its words have the share of the risk
        return evidence["words"]
    effect = evidence["effect"]
    direction = TARGETS_BY_NAME[target].more if effect > 0 else TARGETS_BY_NAME[target].less
    degree = "much " if abs(effect) >= MUCH else "slightly " if abs(effect) < SLIGHT else ""
    for comparative in ("more likely", "less likely"):
        direction = direction.replace(comparative, degree + comparative, 1)
    return f"{evidence['words']} ({direction})"


def is_notable(evidence: Mapping[str, Any]) -> bool:
    """Whether a fact moves a score enough to be mentioned."""
    return abs(evidence["effect"]) >= NEGLIGIBLE or evidence["topic"] == "build"


def unknown(score: Mapping[str, Any]) -> str:
    """Why there is no score."""
    if score["coverage"] is None:
        return "unknown: no model is good enough to predict it yet"
    return (
        f"unknown: only {score['coverage']:.0%} of the facts that it is predicted from are known, {MIN_COVERAGE:.0%} "
        "are needed"
    )


def place(score: Mapping[str, Any]) -> str:
    """Where a score is among all crates, from the share that is strictly lower and strictly higher."""
    lower, higher = score["share_lower"], score["share_higher"]
    comparison, share = (("higher", lower), ("lower", higher))[higher > lower]
    if share < MIN_SHARE:
        return "as nearly all crates"
    return f"{comparison} than {share_of_crates(share)}"


def share_of_crates(share: float) -> str:
    """A share in words: "7 of 10", "98 of 100"."""
    denominator = 100 if share > EXTREME else 10
    return f"{min(round(denominator * share), denominator - 1)} of {denominator}"


def common_denominator(probability: float, base_rate: float) -> int:
    """The smallest denominator by which both are at least 1, but at most ten times that of the base rate."""
    of_base = next((n for n in DENOMINATORS if base_rate * n >= 0.95), DENOMINATORS[-1])
    return next((n for n in (of_base, 10 * of_base) if probability * n >= 0.95), 10 * of_base)


def count(probability: float, denominator: int) -> str:
    """A number of crates; the ends 0 and all are never claimed."""
    number = round(probability * denominator)
    if number <= 0:
        return "fewer than 1"
    return f"more than {denominator - 1:,}" if number >= denominator else f"{number:,}"


def count_range(low: float, high: float, denominator: int) -> str:
    """From the lowest to the highest number of crates; one number where both are the same."""
    first, last = count(low, denominator), count(high, denominator)
    return first if first == last else f"{first} to {last}"


def duration(days: int) -> str:
    """A horizon in the unit that a person would use."""
    if abs(days - 365) <= 5:
        return "a year"
    for unit, length, minimum in (("years", 365, 730), ("months", 30.4, 60), ("weeks", 7, 21)):
        if days >= minimum:
            return f"{round(days / length)} {unit}"
    return f"{days} days"
