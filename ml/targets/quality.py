"""Quality: do projects choose it, and do they stay?"""

from ml.targets.popularity import DAYS, TRAINING_HORIZONS_DAYS
from ml.targets.target import Target

QUALITY = Target(
    name="quality",
    question="Will a project that does not depend on it yet do so in 116 days, and no more drop it than adopt it?",
    outcome="a new dependent project within 116 days, with no more projects lost than gained",
    horizon_days=DAYS,
    is_good=True,
    facts="registry",
    learner="boosted",
    more="projects are more likely to adopt it than to drop it",
    less="projects are less likely to adopt it than to drop it",
    training_horizons_days=TRAINING_HORIZONS_DAYS,
)
