"""Dependency health: will a vulnerability be found in what it builds with?"""

from typing import TYPE_CHECKING

from ml.targets.target import Target

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def builds_with_others(frame: "pd.DataFrame") -> "np.ndarray":
    """Crates that build with no other can meet nothing there."""
    return (frame["transitive_dependencies"] > 0).to_numpy(dtype=bool)


DEPENDENCY_HEALTH = Target(
    name="dependency_health",
    question="Will a vulnerability become known within 12 months in a version that its build resolves to today?",
    horizon_days=365,
    is_good=False,
    facts="advisories",
    learner="tree_hazard",
    more="more likely to meet a vulnerability",
    less="less likely to meet a vulnerability",
    # 252 is from 2019-11-11 to 2020-07-20, 136 to 2020-03-26: what the first tests may have learnt from
    learnt_from_days=(365, 252, 136),
    at_risk=builds_with_others,
)
