"""The `predictions` table."""

from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from assets.features.features import features
from assets.partitions import DATE_PARTITIONS
from assets.predictions.backtests import backtests
from assets.predictions.builds import tree_sums
from assets.predictions.predictor import CHAMPION
from assets.predictions.training_data import WITHOUT_LISTS
from assets.schemas.predictions import PREDICTIONS
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from ml.targets import TARGETS, Target
from resources.common.errors import BadInput
from resources.tracking import MODEL_ID, ModelVersion, Tracking
from resources.warehouse.session import first_row, run_script, view

if TYPE_CHECKING:
    import pandas as pd

# columns and types of these tables where no target has rows
EVIDENCE = {
    "crate": "str",
    "target": "str",
    "topic": "str",
    "feature": "str",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "effect": "float64",
}
CHANGES = {
    "crate": "str",
    "target": "str",
    "change": "str",
    "is_advice": "bool",
    "probability": "float64",
    "worst": "float64",
}


@table_asset(
    PREDICTIONS,
    group="predictions",
    deps=[features, backtests],
    kinds={"sql", "scikitlearn"},
    partitions=DATE_PARTITIONS,
)
def predictions(context: BuildContext, tracking: Tracking) -> pa.Table:
    """The probability of each target with its range over unknown inputs, its base rate, evidence and counterfactuals.
    Rank by the worst end."""
    view(context.con, context.store, "features", context.key)
    frame = context.con.sql(f"select {WITHOUT_LISTS} from features order by crate").df()
    predict_by_champions(context, tracking, context.key, frame, frame, "select crate, build from features")
    context.con.execute("create temp view peers as select target, is_good, worst from predicted")
    rows = run_script(context.con, SQL / "predictions.sql")
    context.con.register("predictions", rows)
    means = context.con.execute("select target, avg(probability) from predictions group by target").fetchall()
    context.report(**{f"mean_{target}": mean for target, mean in means})
    return rows


def predict_by_champions(
    context: BuildContext,
    tracking: Tracking,
    as_of: str,
    frame: "pd.DataFrame",
    peers: "pd.DataFrame",
    builds: str,
) -> None:
    """Creates the tables `predicted`, `evidence`, `tree_evidence`, `wording` and `changes` for `predictions.sql`.

    Parameters
    ----------
    context : BuildContext
        Its session gets the tables.
    tracking : Tracking
        The registry of the champions.
    as_of : str
        Date of `frame`.
    frame : DataFrame
        Features of the crates to predict, sorted by crate.
    peers : DataFrame
        Features of the crates whose average the evidence is compared with.
    builds : str
        Query of the builds of the crates of `frame`; every crate in them is in `peers` or `frame`.

    Raises
    ------
    BadInput
        No champion may predict this date.
    """
    import pandas as pd

    from ml.counterfactuals import counterfactuals, scenarios
    from ml.explanation import explain
    from ml.features import values_of, wording
    from ml.models.tree_hazard import TreeHazard
    from ml.prediction import predict, predict_tree

    champions = _champions(context, tracking, as_of)
    values, all_values, changed = values_of(frame), values_of(peers), scenarios(frame)
    predicted, evidence, changes = [], [], []
    context.con.execute("create or replace temp table tree_levels (target varchar, level double)")
    for target, champion in champions.items():
        model = champion.model
        if isinstance(model, TreeHazard):
            everyone = pd.concat([frame, peers]).drop_duplicates("crate").sort_values("crate", ignore_index=True)
            found = predict_tree(model, tree_sums(context, model.hazard, everyone, builds))
            context.con.execute("insert into tree_levels values ($1, $2)", [target.name, model.level])
        else:
            effects = model.effects(values)
            found = predict(model, target, values, effects)
            average = model.effects(all_values).mean(axis=0) if peers is not frame else effects.mean(axis=0)
            evidence.append(explain(model, values, effects, average).assign(target=target.name))
            worst = found["worst"].to_numpy()
            changes.append(counterfactuals(model, target, worst, changed).assign(target=target.name))
        predicted.append(_about(found, frame, target, champion))
    context.con.register("predicted", pd.concat(predicted, ignore_index=True))
    context.con.register("evidence", _with_crate(evidence, frame, EVIDENCE))
    context.con.register("changes", _with_crate(changes, frame, CHANGES))
    _create_tree_evidence(context)
    context.con.register("wording", wording())


def _create_tree_evidence(context: BuildContext) -> None:
    """Creates `tree_evidence`, empty if no target predicts builds."""
    import pandas as pd

    if not first_row(context.con, "select 1 from tree_levels"):
        none = pd.DataFrame({"crate": pd.Series(dtype=str), "events": pd.Series(dtype=float)})
        context.con.register("crate_hazards", none)
        context.con.execute(
            "create or replace temp view builds as select '' as crate, []::varchar[] as build where false"
        )
    context.con.execute((SQL / "tree_evidence.sql").read_text())


def _about(found: "pd.DataFrame", frame: "pd.DataFrame", target: Target, champion: ModelVersion) -> "pd.DataFrame":
    return found.assign(
        crate=frame["crate"].to_numpy(),
        target=target.name,
        is_good=target.is_good,
        horizon_days=target.horizon_days,
        base_rate=float(champion.tags["base_rate"]),
        model_id=champion.tags[MODEL_ID],
    )


def _with_crate(tables: "list[pd.DataFrame]", frame: "pd.DataFrame", types: dict[str, str]) -> "pd.DataFrame":
    """The rows of all targets with the name of their crate; an empty frame of these columns if there are none."""
    import pandas as pd

    if not tables:
        return pd.DataFrame({name: pd.Series(dtype=type_) for name, type_ in types.items()})
    rows = pd.concat(tables, ignore_index=True)
    return rows.assign(crate=frame["crate"].to_numpy()[rows["row"]])


def _champions(context: BuildContext, tracking: Tracking, as_of: str) -> dict[Target, ModelVersion]:
    """The champions whose test date is not after the as-of date. Raises BadInput if there are none."""
    found, missing = {}, []
    for target in TARGETS:
        champion = tracking.load(target.name, CHAMPION)
        if champion is None:
            missing.append(f"{target.name} has no champion: materialize predictor and backtests first")
        elif date.fromisoformat(as_of) < date.fromisoformat(champion.tags["test_as_of"]):
            missing.append(
                f"the champion of {target.name} was trained on what was known on {champion.tags['test_as_of']}, so it "
                f"cannot predict the earlier date {as_of}; walk_forward has tests on earlier dates"
            )
        else:
            found[target] = champion
    if not found:
        raise BadInput("; ".join(missing))
    for reason in missing:
        context.log.warning(f"no prediction: {reason}")
    return found
