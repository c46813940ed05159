"""Popularity: will more projects depend on it?"""

from ml.targets.target import Target

DAYS = 116  # about four months
# 136 days is from 2019-11-11 to 2020-03-26: the only label of about that length that the bundled registry has exactly
TRAINING_HORIZONS_DAYS = (DAYS, 136)

POPULARITY = Target(
    name="popularity",
    question="Will a crate of another project that does not depend on it yet do so in 116 days?",
    outcome="a new dependent of another project within 116 days",
    horizon_days=DAYS,
    is_good=True,
    facts="registry",
    learner="boosted",
    more="a new dependent is more likely",
    less="a new dependent is less likely",
    training_horizons_days=TRAINING_HORIZONS_DAYS,
)
