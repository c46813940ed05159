"""What every prediction declares."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Facts = Literal["registry", "advisories"]
MIN_COVERAGE = 0.5  # share of the inputs that must be known exactly; below it a score is unknown


def everyone(frame: "pd.DataFrame") -> "np.ndarray":
    """All crates are at risk."""
    import numpy as np

    return np.ones(len(frame), dtype=bool)


@dataclass(frozen=True)
class Target:
    """One prediction. `assets/sql/targets/<name>.sql` selects the crates with a positive label.

    Parameters
    ----------
    question: the question that a label answers.
    outcome: the event in a noun phrase with its horizon: "a new version within 43 days".
    horizon_days: length of the horizon, counted from the as-of instant.
    is_good: whether the outcome is wanted. The probability is a chance if it is, else a risk.
    facts: the source that decides the outcome.
    learner: the form of the model.
    more, less: what evidence that raises or lowers the probability means: "a new version is more likely".
    training_horizons_days: horizons of the labels that the model may be trained on, the preferred one first. The
        predicted odds are scaled from the label's horizon to `horizon_days`.
    at_risk: from a frame of features to a bool array: the crates that the model is trained and tested on.
    """

    name: str
    question: str
    outcome: str
    horizon_days: int
    is_good: bool
    facts: Facts
    learner: Literal["boosted", "hazard", "tree_hazard"]
    more: str
    less: str
    training_horizons_days: tuple[int, ...] = ()
    at_risk: Callable[["pd.DataFrame"], "np.ndarray"] = field(default=everyone)

    @property
    def horizons(self) -> tuple[int, ...]:
        """Every horizon, in days, that labels are needed for."""
        return tuple(sorted({self.horizon_days, *self.training_horizons_days}))
