"""Security: will a vulnerability be found in it?"""

from ml.targets.target import Target

SECURITY = Target(
    name="security",
    question="Will a vulnerability advisory on it become known within 16 months?",
    outcome="a vulnerability advisory within 16 months",
    horizon_days=487,  # the bundled advisories reach 16 months past 2020-07-20
    is_good=False,
    facts="advisories",
    # the labels of one window have too few positives: the model is trained on every advisory known at the as-of date
    learner="hazard",
    more="a vulnerability advisory is more likely",
    less="a vulnerability advisory is less likely",
)
