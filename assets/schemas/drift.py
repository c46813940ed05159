"""Whether the champions still meet what they were made for."""

from assets.schemas.predictions import PREDICTIONS, TARGET_NAMES
from resources.warehouse.schema import Column, Table

KINDS = ("input", "score", "calibration")

DRIFT = Table(
    name="drift",
    grain="One row per target and thing watched: each input of its champion, its scores, and whether they come true.",
    partition=PREDICTIONS.partition,
    columns=(
        Column("as_of", "date", "As-of date of the features"),
        Column("target", "string", "What is predicted", accepted=TARGET_NAMES),
        Column("kind", "string", "What is watched", accepted=KINDS),
        Column("name", "string", "The input; `probability`; or `ece` and `predicted_to_observed`, on matured labels"),
        Column(
            "value",
            "double",
            "Population stability index between reference_as_of and as_of; `ece`: expected calibration error; "
            "`predicted_to_observed`: how many times as many events were said as came",
        ),
        Column(
            "threshold", "double", "What it may reach; `predicted_to_observed` may fall to one part in as many, too"
        ),
        Column("is_drifted", "bool", "Whether it is beyond"),
        Column("reference_as_of", "date", "As-of date that the champion was last tested on: what it is held against"),
        Column(
            "labels_as_of",
            "date",
            "As-of date of the labels, the newest whose horizon had passed; there are rows only if it is later than "
            "reference_as_of",
            nullable=True,
        ),
        Column("model_id", "string", "Content hash of the champion"),
    ),
    key=("target", "kind", "name"),
)
