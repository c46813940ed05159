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
    challenger, base_rate = by["model", "log_loss"], by["base_rate", "log_loss"]
    loss = f"its log loss {challenger:.5f}"
    if challenger >= base_rate:
        return Verdict(False, f"not promoted: {loss} is no better than the base rate's {base_rate:.5f}")
    if ("champion", "log_loss") not in by.index:
        return Verdict(True, f"promoted: {loss} beats the base rate's {base_rate:.5f}; no champion yet")
    champion = by["champion", "log_loss"]
    if challenger >= champion:
        return Verdict(False, f"not promoted: {loss} is no better than the champion's {champion:.5f}")
    return Verdict(True, f"promoted: {loss} beats the champion's {champion:.5f}")
