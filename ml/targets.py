"""What is predicted: the question, and how long until the answer is known."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One prediction. `horizon_days` counts from the as-of instant; labels come from `labels` of that horizon."""

    name: str
    horizon_days: int
    question: str


TARGETS = (
    Target("maintenance", 43, "Will it publish a new version within 43 days?"),
    Target("popularity", 43, "Will a crate of another family start to build on it within 43 days?"),
)
# days; 43 is the longest that the bundled facts allow a later test for, 116 the longest they can label at all
HORIZONS = (43, 116)
