"""Security risk: will a vulnerability be found in it?"""

from ml.targets.target import Target

SECURITY = Target(
    name="security",
    question="Will a vulnerability advisory on it become known within 16 months?",
    horizon_days=487,  # the bundled advisories reach 16 months past 2020-07-20
    is_good=False,
    facts="advisories",
    # too few advisories for labels of one window: it learns from all that became known before the as-of date
    learner="hazard",
    more="more likely to get an advisory",
    less="less likely to get an advisory",
)
