"""What every prediction declares."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Facts = Literal["registry", "advisories"]
LEAST_COVERAGE = 0.5  # of the inputs known exactly, or a score is unknown


def everyone(frame: "pd.DataFrame") -> "np.ndarray":
    """All crates are at risk."""
    import numpy as np

    return np.ones(len(frame), dtype=bool)


@dataclass(frozen=True)
class Target:
    """One prediction. What came true is `assets/sql/targets/<name>.sql`.

    `horizon_days` counts from the as-of instant. `learnt_from_days` are the horizons of the labels it may learn from,
    the best first: a label over another time is brought to `horizon_days` in proportion. `facts` says which source
    tells the outcome, and `is_good` whether people want it. Only crates for which `at_risk` (frame of features to bool
    array) holds teach and test it.
    """

    name: str
    question: str
    horizon_days: int
    is_good: bool
    facts: Facts
    learner: Literal["boosted", "hazard", "tree_hazard"]
    more: str  # words before evidence that raises the probability
    less: str
    learnt_from_days: tuple[int, ...] = ()
    at_risk: Callable[["pd.DataFrame"], "np.ndarray"] = field(default=everyone)

    @property
    def horizons(self) -> tuple[int, ...]:
        """Every horizon, in days, that labels are needed for."""
        return tuple(sorted({self.horizon_days, *self.learnt_from_days}))
