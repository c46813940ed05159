"""Scores in words: natural frequencies, comparisons that ties cannot make wrong, and the unknown as such."""

from typing import Any

import pytest

from ml.targets import TARGETS
from serving.wording import WORDINGS, count_range, duration, share_of_crates, word_evidence, word_score

SCORE = {
    "is_known": True,
    "is_good": True,
    "horizon_days": 43,
    "worst": 0.231,
    "best": 0.38,
    "base_rate": 0.1048,
    "share_lower": 0.9,
    "share_higher": 0.1,
    "coverage": 0.9,
}


def test_every_target_has_a_wording() -> None:
    assert WORDINGS.keys() == {target.name for target in TARGETS}


def test_chance_is_a_number_of_crates_beside_all_crates() -> None:
    assert word_score("maintenance", SCORE) == (
        "23 to 38 of 100 crates like it publish a new version within 6 weeks (all crates: 10; higher than 9 of 10)"
    )


def test_rare_risk_and_its_base_rate_have_the_same_denominator() -> None:
    rare = {"is_good": False, "worst": 0.102, "best": 0.087, "base_rate": 0.0011, "horizon_days": 487}
    assert word_score("security", {**SCORE, **rare, "share_lower": 0.999}) == (
        "87 to 102 of 1,000 crates like it get an advisory within 16 months (all crates: 1; higher than 99 of 100)"
    )


@pytest.mark.parametrize(
    ("worst", "best", "words"),
    [
        (0.0, 0.0, "fewer than 1 of 1,000"),
        (1.0, 1.0, "more than 99 of 100"),
        (0.999, 0.2, "20 to more than 99 of 100"),
        (0.004, 0.004, "4 of 1,000"),
    ],
)
def test_certainty_is_never_claimed(worst: float, best: float, words: str) -> None:
    assert word_score("maintenance", {**SCORE, "worst": worst, "best": best}).startswith(f"{words} crates like it")


@pytest.mark.parametrize(
    ("lower", "higher", "words"),
    [
        (0.0, 0.6, "lower than 6 of 10)"),  # 40 % of the crates share the lowest value
        (0.02, 0.01, "as nearly all crates)"),
        (0.97, 0.0, "higher than 97 of 100)"),
    ],
)
def test_comparison_counts_only_crates_that_differ(lower: float, higher: float, words: str) -> None:
    assert word_score("maintenance", {**SCORE, "share_lower": lower, "share_higher": higher}).endswith(words)


def test_unknown_score_names_the_reason() -> None:
    nothing: dict[str, Any] = dict.fromkeys(SCORE)
    assert word_score("quality", {**nothing, "is_known": False, "coverage": 0.31}) == (
        "unknown: only 31% of the facts that it is predicted from are known, 50% are needed"
    )
    assert "no model is good enough" in word_score("quality", {**nothing, "is_known": False})


@pytest.mark.parametrize(
    ("days", "words"),
    [(7, "7 days"), (43, "6 weeks"), (116, "4 months"), (365, "a year"), (487, "16 months"), (1461, "4 years")],
)
def test_horizon_is_in_a_usual_unit(days: int, words: str) -> None:
    assert duration(days) == words


def test_share_never_says_all() -> None:
    assert [share_of_crates(share) for share in (0.06, 0.5, 0.95, 1.0)] == [
        "1 of 10",
        "5 of 10",
        "95 of 100",
        "99 of 100",
    ]


def test_range_that_rounds_to_one_number_is_one_number() -> None:
    assert count_range(0.101, 0.104, 100) == "10"


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (2.0, "Releases: 3 (a new version is much more likely)"),
        (-0.5, "Releases: 3 (a new version is less likely)"),
        (0.2, "Releases: 3 (a new version is slightly more likely)"),
    ],
)
def test_evidence_says_which_way_it_moves_the_score(effect: float, words: str) -> None:
    assert word_evidence("maintenance", {"topic": "releases", "words": "Releases: 3", "effect": effect}) == words
