"""Popularity: will more crates build on it?"""

from ml.targets.target import Target

# about four months; 136 is from 2019-11-11 to 2020-03-26, the only such label that the bundled facts tell exactly
DAYS, LEARNT_FROM = 116, (116, 136)

POPULARITY = Target(
    name="popularity",
    question="Will a crate of another project, which does not build on it yet, do so in 116 days?",
    horizon_days=DAYS,
    is_good=True,
    facts="registry",
    learner="boosted",
    more="more likely to be built on",
    less="less likely to be built on",
    learnt_from_days=LEARNT_FROM,
)
