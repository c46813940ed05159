"""The `predictions` table."""

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from assets.features.features import features
from assets.predictions.backtests import backtests
from assets.predictions.predictor import CHAMPION
from assets.schemas.predictions import PREDICTIONS
from assets.table_asset import SQL, Inputs, table_asset
from ml.inputs import INPUTS
from ml.targets import TARGETS, Target
from resources.errors import BadInput
from resources.session import run_script, view
from resources.tracking import MODEL_ID, Registered

if TYPE_CHECKING:
    import pandas as pd


@table_asset(PREDICTIONS, group="predictions", deps=[features, backtests], kinds={"sql", "scikitlearn"})
def predictions(inputs: Inputs) -> pa.Table:
    """Each with its range over what is not known, its base rate and what moved it. Rank by the worst end."""
    view(inputs.con, inputs.store, "features", inputs.key)
    frame = inputs.con.sql("from features order by crate").df()
    predict_by_champions(inputs, inputs.key, frame, frame)
    inputs.con.execute("create temp view peers as select target, worst from predicted")
    rows = run_script(inputs.con, SQL / "predictions.sql")
    inputs.con.register("predictions", rows)
    means = inputs.con.execute("select target, avg(probability) from predictions group by target").fetchall()
    inputs.report(**{f"mean_{target}": mean for target, mean in means})
    return rows


def predict_by_champions(inputs: Inputs, as_of: str, frame: "pd.DataFrame", peers: "pd.DataFrame") -> None:
    """Makes `predicted`, `evidence` (against the average of `peers`) and `wording` of the rows of `frame` visible.

    Both are frames of features. Raises BadInput if a champion may not predict this date.
    """
    import pandas as pd

    from ml.model import explain, predict

    predicted, evidence = [], []
    for target in TARGETS:
        model = _champion(inputs, target, as_of)
        about = {"crate": frame["crate"], "target": target.name}
        predicted.append(
            predict(model.pipeline, frame).assign(
                **about,
                horizon_days=target.horizon_days,
                base_rate=float(model.tags["base_rate"]),
                model_id=model.tags[MODEL_ID],
            )
        )
        evidence.append(explain(model.pipeline, frame, peers).assign(**about))
    inputs.con.register("predicted", pd.concat(predicted))
    inputs.con.register("evidence", pd.concat(evidence))
    inputs.con.register("wording", pd.DataFrame([asdict(i) for i in INPUTS]).rename(columns={"name": "feature"}))


def _champion(inputs: Inputs, target: Target, as_of: str) -> Registered:
    """The champion, if all it learnt was known by the as-of date. Raises BadInput."""
    model = inputs.tools.tracking.load(target.name, CHAMPION)
    if model is None:
        raise BadInput(f"{target.name} has no champion: materialize predictor and backtests first")
    known_through = model.tags["known_through"]
    if date.fromisoformat(as_of) < date.fromisoformat(known_through):
        raise BadInput(
            f"the champion for {target.name} learnt from labels known on {known_through}: it may not predict "
            f"{as_of}, which is earlier. Choose {known_through} or later; backtests has the past"
        )
    return model
