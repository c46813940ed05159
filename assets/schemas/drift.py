"""Drift of the champions' inputs, scores and calibration."""

from assets.schemas.predictions import PREDICTIONS, TARGET_NAMES
from resources.warehouse.schema import Column, Table

KINDS = ("input", "score", "calibration")

DRIFT = Table(
    name="drift",
    grain="One row per target and monitored quantity: each input of its champion, its score, and its calibration.",
    partition=PREDICTIONS.partition,
    columns=(
        Column("as_of", "date", "As-of date of the features"),
        Column("target", "string", "What is predicted", accepted=TARGET_NAMES),
        Column("kind", "string", "Kind of quantity", accepted=KINDS),
        Column("name", "string", "The input; `probability`; or `ece` and `predicted_to_observed`, on known labels"),
        Column(
            "value",
            "double",
            "Population stability index between reference_as_of and as_of; `ece`: expected calibration error; "
            "`predicted_to_observed`: ratio of predicted to observed events",
        ),
        Column("threshold", "double", "Upper limit; for `predicted_to_observed` also the inverse of the lower limit"),
        Column("is_drifted", "bool", "Whether the value is beyond the limit"),
        Column("reference_as_of", "date", "As-of date of the champion's last test, which is the reference"),
        Column(
            "labels_as_of",
            "date",
            "As-of date of the newest known labels; calibration rows exist only if it is after reference_as_of",
            nullable=True,
        ),
        Column("model_id", "string", "Content hash of the champion"),
    ),
    key=("target", "kind", "name"),
)
