"""Quality: do people who have a choice choose it, and stay?"""

from ml.targets.popularity import DAYS, LEARNT_FROM
from ml.targets.target import Target

QUALITY = Target(
    name="quality",
    question="Will a project that does not build on it yet do so in 116 days, and no more projects leave than come?",
    horizon_days=DAYS,
    is_good=True,
    facts="registry",
    learner="boosted",
    more="more likely to be chosen and kept",
    less="less likely to be chosen and kept",
    learnt_from_days=LEARNT_FROM,
)
