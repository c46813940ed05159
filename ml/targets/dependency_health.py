"""Dependency health: will a vulnerability be found in a crate of its build?"""

from typing import TYPE_CHECKING

from ml.targets.target import Target

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def has_dependencies(frame: "pd.DataFrame") -> "np.ndarray":
    """Crates without dependencies have no risk from them."""
    return (frame["transitive_dependencies"] > 0).to_numpy(dtype=bool)


DEPENDENCY_HEALTH = Target(
    name="dependency_health",
    question="Will a vulnerability become known within 12 months in a version that its build resolves to today?",
    outcome="a vulnerability in its build within 12 months",
    horizon_days=365,
    is_good=False,
    facts="advisories",
    learner="tree_hazard",
    more="a vulnerability in its build is more likely",
    less="a vulnerability in its build is less likely",
    # 252 days is from 2019-11-11 to 2020-07-20, 136 days to 2020-03-26: what the first tests can be trained on
    training_horizons_days=(365, 252, 136),
    at_risk=has_dependencies,
)
