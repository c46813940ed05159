"""Promotion: whether a challenger becomes the champion, and why."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Verdict:
    """The decision, and the reason in words."""

    promoted: bool
    words: str


def judge(figures: "pd.DataFrame") -> Verdict:
    """Compares log losses in one target's rows of `backtests`, both models as trained on all families."""
    by = figures[figures["slice"] == "all"].set_index(["method", "metric"])["value"]
    ours, rate = by["model", "log_loss"], by["base_rate", "log_loss"]
    if ours >= rate:
        return Verdict(False, f"not promoted: its log loss {ours:.5f} is no better than the base rate's {rate:.5f}")
    if ("champion", "log_loss") not in by.index:
        return Verdict(True, f"promoted: its log loss {ours:.5f} beats the base rate's {rate:.5f}; no champion yet")
    theirs = by["champion", "log_loss"]
    if ours >= theirs:
        return Verdict(False, f"not promoted: its log loss {ours:.5f} is no better than the champion's {theirs:.5f}")
    return Verdict(True, f"promoted: its log loss {ours:.5f} beats the champion's {theirs:.5f}")
