"""Maintenance: will it publish again?"""

from ml.targets.target import Target

MAINTENANCE = Target(
    name="maintenance",
    question="Will it publish a new version within 43 days?",
    horizon_days=43,  # the longest that the bundled facts allow several later tests for
    is_good=True,
    facts="registry",
    learner="boosted",
    more="more likely to be released",
    less="less likely to be released",
    learnt_from_days=(43,),
)
