"""Maintenance: will a new version be published?"""

from ml.targets.target import Target

MAINTENANCE = Target(
    name="maintenance",
    question="Will a new version be published within 43 days?",
    outcome="a new version within 43 days",
    horizon_days=43,  # the longest horizon with several later test dates in the bundled registry
    is_good=True,
    facts="registry",
    learner="boosted",
    more="a new version is more likely",
    less="a new version is less likely",
    training_horizons_days=(43,),
)
