"""Backtests, predictions and scores."""

from dataclasses import replace

from ml.targets import TARGETS
from resources.warehouse.schema import Column, Table

TARGET_NAMES = tuple(t.name for t in TARGETS)

EVIDENCE = "list<struct<topic: string, feature: string, value: double, effect: double, words: string>>"

CHANGES = "list<struct<change: string, is_advice: bool, probability: double, worst: double>>"

BACKTESTS = Table(
    name="backtests",
    grain="One row per target, method, slice of crates and metric, on a test date later than all training data.",
    partition="version",
    columns=(
        Column("target", "string", "What was predicted", accepted=TARGET_NAMES),
        Column("horizon_days", "int32", "Length of the horizon", unit="days"),
        Column("test_as_of", "date", "As-of date of the test"),
        Column("method", "string", "The model, or the method it is compared with"),
        Column("slice", "string", "Group of crates"),
        Column("metric", "string", "Metric, named as in scikit-learn or in ml/evaluation.py"),
        Column(
            "value", "double", "Value of the metric; methods that only rank have no rows for metrics of probabilities"
        ),
        Column("low", "double", "Lower end of its 95% interval, by resampling families", nullable=True),
        Column("high", "double", "Upper end of the interval", nullable=True),
        Column("covers", "string", "The part of a formula that the source's columns cover", nullable=True),
        Column("crates", "int64", "Crates in the slice"),
        Column("positives", "int64", "Crates of the slice with a positive label"),
        Column("model_id", "string", "Content hash of the model tested"),
    ),
    key=("target", "method", "slice", "metric"),
)

WALK_FORWARD = replace(
    BACKTESTS,
    name="walk_forward",
    grain="Like backtests, for every as-of date with labels to test on; each model is trained on what was known then.",
    key=("target", "test_as_of", "method", "slice", "metric"),
)

PREDICTIONS = Table(
    name="predictions",
    grain="One row per crate and target: the champion's prediction for the time after the as-of date.",
    partition="as_of",
    columns=(
        Column("as_of", "date", "As-of date of the features"),
        Column("crate", "string", "Canonical name"),
        Column("target", "string", "What is predicted", accepted=TARGET_NAMES),
        Column("horizon_days", "int32", "Length of the horizon", unit="days"),
        Column("is_good", "bool", "Whether the outcome is wanted; if not, the probability is a risk"),
        Column(
            "probability", "double", "Probability of the outcome, with missing inputs treated as missing", unit="0 to 1"
        ),
        Column(
            "worst",
            "double",
            "Worst end of the probability over all values that unknown inputs can have, to rank by: the lowest for a "
            "wanted outcome, the highest for an unwanted one",
            unit="0 to 1",
        ),
        Column("best", "double", "Best end of the probability", unit="0 to 1"),
        Column("percentile", "double", "Share of crates with a worse worst end", unit="0 to 1"),
        Column("base_rate", "double", "Share of positives known when the model was tested", unit="0 to 1"),
        Column("coverage", "double", "Share of the model's inputs that were known exactly", unit="0 to 1"),
        Column(
            "evidence",
            EVIDENCE,
            "What moved the probability, strongest first. Effects add up to the difference in log-odds (security: log "
            "hazard) from the average crate; for dependency_health, to -log(1 - probability)",
        ),
        Column(
            "changes",
            CHANGES,
            "Changes that its owner could make, with the prediction after each, largest gain first; is_advice marks "
            "changes that are good practice by themselves",
        ),
        Column("model_id", "string", "Content hash of the model"),
    ),
    key=("crate", "target"),
)

FRESH_PREDICTIONS = replace(
    PREDICTIONS,
    name="fresh_predictions",
    grain="One row per crate of fresh_features and target, compared with all crates of the newest full predictions.",
    partition="version",
)

_SCORES = ("maintenance", "popularity", "security", "dependency_health", "quality")
_MEANING = {
    "maintenance": "chance of a new version within 43 days",
    "popularity": "chance of a new dependent of another project within 116 days",
    "security": "chance of no vulnerability advisory within 16 months",
    "dependency_health": "chance of no vulnerability in its build within 12 months",
    "quality": "chance of a new dependent project within 116 days, with no more projects lost than gained",
}

SCORES = Table(
    name="scores",
    grain="One row per crate: the five scores of the newest predicted date, with evidence and advice.",
    partition="version",
    columns=(
        Column("as_of", "date", "As-of date of the newest predictions"),
        Column(
            "refreshed_at",
            "timestamp",
            "Time at which the newest event that affects the crate was seen (UTC); null for a daily score",
            nullable=True,
        ),
        Column("crate", "string", "Canonical name"),
        Column("name", "string", "Name as published"),
        Column("default_version", "string", "Version that crates.io would show"),
        Column("description", "string", "One line about the crate", nullable=True),
        *(
            column
            for score in _SCORES
            for column in (
                Column(score, "double", f"Worst end of the {_MEANING[score]}: the one to rank by", True, "0 to 1"),
                Column(f"{score}_probability", "double", f"Predicted {_MEANING[score]}", True, "0 to 1"),
                Column(f"{score}_best", "double", f"Best end of the {_MEANING[score]}", True, "0 to 1"),
                Column(f"{score}_percentile", "double", "Share of crates with a lower worst end", True, "0 to 1"),
            )
        ),
        Column("coverage", "double", "Lowest share of inputs known exactly among the scores", True, "0 to 1"),
        Column(
            "unknown_scores", "list<string>", "Scores that are null: there is no champion, or too few inputs are known"
        ),
        Column(
            "evidence", "list<string>", "What moved the scores, and whether it makes the outcome more or less likely"
        ),
        Column("changes", "list<string>", "Advice: changes that are good practice, with the chance or risk after each"),
        Column("findings", "list<string>", "Facts that need attention: advisories, yanks, dependencies"),
        Column("dependents", "int64", "Crates whose default version depends on it (normal or build)"),
        Column("dependents_independent", "int64", "Families of its dependents, other than its own"),
        Column("transitive_dependents", "int64", "Crates that have it in their build"),
    ),
    key=("crate",),
)
