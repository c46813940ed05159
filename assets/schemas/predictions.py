"""What the predictor says, how well it did, and the answer per crate."""

from dataclasses import replace

from ml.targets import TARGETS
from resources.schema import Column, Table

TARGET_NAMES = tuple(t.name for t in TARGETS)

EVIDENCE = "list<struct<topic: string, feature: string, value: double, effect: double, words: string>>"

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
        Column("metric", "string", "Metric: scikit-learn's names where it has one, else as in ml/evaluate.py"),
        Column("value", "double", "The metric; a method without probabilities has no row for those that need them"),
        Column("crates", "int64", "Crates in the slice"),
        Column("positives", "int64", "Crates of the slice for which it came true"),
        Column("model_id", "string", "Content hash of the model tested"),
    ),
    key=("target", "method", "slice", "metric"),
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
        Column("probability", "double", "Calibrated probability, with what is missing taken as typical", unit="0 to 1"),
        Column("worst", "double", "Lowest probability over the plausible values of what is missing", unit="0 to 1"),
        Column("best", "double", "Highest probability over the plausible values of what is missing", unit="0 to 1"),
        Column("percentile", "double", "Share of crates whose worst end is lower", unit="0 to 1"),
        Column("base_rate", "double", "Share of crates for which it came true on the calibration date", unit="0 to 1"),
        Column("coverage", "double", "Share of the model's inputs that were known", unit="0 to 1"),
        Column(
            "evidence",
            EVIDENCE,
            "What moved the score, strongest first: log-odds against the average crate; they add up",
        ),
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
    "maintenance": "chance of a new version within the horizon",
    "popularity": "chance of a new independent dependent within the horizon",
    "security": "chance of no vulnerability advisory: not predicted yet, so null",
    "dependency_health": "chance that its tree stays clean: not predicted yet, so null",
    "quality": "chance that those who have a choice adopt it and stay: not predicted yet, so null",
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
        Column("unknown_scores", "list<string>", "Scores that are null, since no model predicts them yet"),
        Column("evidence", "list<string>", "What moved the scores, in words"),
        Column("findings", "list<string>", "Facts that call for a look: advisories, yanks, dependencies"),
        Column("dependents", "int64", "Crates whose default version builds with it"),
        Column("dependents_independent", "int64", "Families other than its own among its dependents"),
        Column("transitive_dependents", "int64", "Crates that pull it in, near and far"),
    ),
    key=("crate",),
)
