"""What the predictor says, how well it did, and the answer per crate."""

from dataclasses import replace

from ml.targets import TARGETS
from resources.warehouse.schema import Column, Table

TARGET_NAMES = tuple(t.name for t in TARGETS)

EVIDENCE = "list<struct<topic: string, feature: string, value: double, effect: double, words: string>>"

CHANGES = "list<struct<change: string, is_advice: bool, probability: double, worst: double>>"

BACKTESTS = Table(
    name="backtests",
    grain="One row per target, method, slice of crates and metric, on the test date that training never saw.",
    partition="version",
    columns=(
        Column("target", "string", "What was predicted", accepted=TARGET_NAMES),
        Column("horizon_days", "int32", "Length of the horizon", unit="days"),
        Column("test_as_of", "date", "As-of date of the test"),
        Column("method", "string", "The model, or what it is compared with"),
        Column("slice", "string", "Which crates"),
        Column("metric", "string", "Metric: scikit-learn's names where it has one, else as in ml/evaluation.py"),
        Column("value", "double", "The metric; a method without probabilities has no row for those that need them"),
        Column("low", "double", "Lower end of its 95 % interval, by resampling families", nullable=True),
        Column("high", "double", "Upper end", nullable=True),
        Column("covers", "string", "Which of a formula's points the source's columns cover", nullable=True),
        Column("crates", "int64", "Crates in the slice"),
        Column("positives", "int64", "Crates of the slice for which it came true"),
        Column("model_id", "string", "Content hash of the model tested"),
    ),
    key=("target", "method", "slice", "metric"),
)

WALK_FORWARD = replace(
    BACKTESTS,
    name="walk_forward",
    grain="As backtests, for every as-of date with labels to test on: each by a model of what was known on that date.",
    key=("target", "test_as_of", "method", "slice", "metric"),
)

PREDICTIONS = Table(
    name="predictions",
    grain="One row per crate and target: what the champion model says of the time after the as-of date.",
    partition="as_of",
    columns=(
        Column("as_of", "date", "As-of date of the features"),
        Column("crate", "string", "Canonical name"),
        Column("target", "string", "What is predicted", accepted=TARGET_NAMES),
        Column("horizon_days", "int32", "Length of the horizon", unit="days"),
        Column("is_good", "bool", "Whether the outcome is one that people want"),
        Column("probability", "double", "Of the outcome, with what is missing taken as such", unit="0 to 1"),
        Column(
            "worst",
            "double",
            "The end to rank by, over all that the unknown can be: the least probability of a good outcome, the "
            "greatest of a bad one",
            unit="0 to 1",
        ),
        Column("best", "double", "The other end", unit="0 to 1"),
        Column("percentile", "double", "Share of crates whose worst end is worse", unit="0 to 1"),
        Column(
            "base_rate", "double", "Share for which it came true, as known when the model was tested", unit="0 to 1"
        ),
        Column("coverage", "double", "Share of the model's inputs that were known", unit="0 to 1"),
        Column(
            "evidence",
            EVIDENCE,
            "What moved it, strongest first. Effects add up: log-odds (security: log hazard) against the average "
            "crate; of dependency_health the shares of -log(1 - probability)",
        ),
        Column("changes", CHANGES, "What its owner could do, and what the model would say then, the most first"),
        Column("model_id", "string", "Content hash of the model"),
    ),
    key=("crate", "target"),
)

FRESH_PREDICTIONS = replace(
    PREDICTIONS,
    name="fresh_predictions",
    grain="One row per crate of fresh_features and target, among the peers of the newest full predictions.",
    partition="version",
)

_SCORES = ("maintenance", "popularity", "security", "dependency_health", "quality")
_MEANING = {
    "maintenance": "chance of a new version within 43 days",
    "popularity": "chance of a new crate of another project building on it within 116 days",
    "security": "chance of no vulnerability advisory within 16 months",
    "dependency_health": "chance that no vulnerability becomes known in its build within 12 months",
    "quality": "chance that a new project chooses it within 116 days, and no more leave than come",
}

SCORES = Table(
    name="scores",
    grain="One row per crate: the five scores as of the newest date predicted, with their evidence.",
    partition="version",
    columns=(
        Column("as_of", "date", "As-of date of the newest predictions"),
        Column(
            "refreshed_at",
            "timestamp",
            "When the newest event that counts here was seen (UTC); null where the score is the daily one",
            nullable=True,
        ),
        Column("crate", "string", "Canonical name"),
        Column("name", "string", "Name as published"),
        Column("default_version", "string", "Version that crates.io would show"),
        Column("description", "string", "What it is for", nullable=True),
        *(
            column
            for score in _SCORES
            for column in (
                Column(score, "double", f"Worst end, the one to rank by: {_MEANING[score]}", True, "0 to 1"),
                Column(
                    f"{score}_probability", "double", "The same with what is missing taken as typical", True, "0 to 1"
                ),
                Column(f"{score}_best", "double", "The same at the best end", True, "0 to 1"),
                Column(f"{score}_percentile", "double", "Share of crates whose worst end is lower", True, "0 to 1"),
            )
        ),
        Column("coverage", "double", "Share of the inputs that were known, the least of all scores", True, "0 to 1"),
        Column(
            "unknown_scores", "list<string>", "Scores that are null: no model may predict them, or too little is known"
        ),
        Column("evidence", "list<string>", "What moved the scores, in words"),
        Column("changes", "list<string>", "What its owner could do, and which score would read how, in words"),
        Column("findings", "list<string>", "Facts that call for a look: advisories, yanks, dependencies"),
        Column("dependents", "int64", "Crates whose default version builds with it"),
        Column("dependents_independent", "int64", "Families other than its own among its dependents"),
        Column("transitive_dependents", "int64", "Crates that pull it in, near and far"),
    ),
    key=("crate",),
)
