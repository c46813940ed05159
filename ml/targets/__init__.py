"""The prediction targets: one file per target."""

from ml.targets.dependency_health import DEPENDENCY_HEALTH
from ml.targets.maintenance import MAINTENANCE
from ml.targets.popularity import POPULARITY
from ml.targets.quality import QUALITY
from ml.targets.security import SECURITY
from ml.targets.target import MIN_COVERAGE, Target

TARGETS = (MAINTENANCE, POPULARITY, SECURITY, DEPENDENCY_HEALTH, QUALITY)

__all__ = ["MIN_COVERAGE", "TARGETS", "Target"]
