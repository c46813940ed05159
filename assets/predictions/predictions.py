"""The `predictions` table."""

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from assets.features.features import features
from assets.predictions.backtests import backtests
from assets.predictions.builds import tree_sums
from assets.predictions.predictor import CHAMPION
from assets.predictions.training_data import WITHOUT_LISTS
from assets.schemas.predictions import PREDICTIONS
from assets.table_asset import SQL, Inputs, table_asset
from ml.targets import TARGETS, Target
from resources.common.errors import BadInput
from resources.tracking import MODEL_ID, Registered
from resources.warehouse.session import first_row, run_script, view

if TYPE_CHECKING:
    import pandas as pd

EVIDENCE = {"crate": "str", "target": "str", "topic": "str", "feature": "str", "value": "float64", "effect": "float64"}
CHANGES = {"crate": "str", "target": "str", "change": "str", "probability": "float64", "worst": "float64"}


@table_asset(PREDICTIONS, group="predictions", deps=[features, backtests], kinds={"sql", "scikitlearn"})
def predictions(inputs: Inputs) -> pa.Table:
    """Each with its range over what is not known, its base rate, what moved it and what would change it. Rank by the
    worst end."""
    view(inputs.con, inputs.store, "features", inputs.key)
    frame = inputs.con.sql(f"select {WITHOUT_LISTS} from features order by crate").df()
    predict_by_champions(inputs, inputs.key, frame, frame, "select crate, build from features")
    inputs.con.execute("create temp view peers as select target, is_good, worst from predicted")
    rows = run_script(inputs.con, SQL / "predictions.sql")
    inputs.con.register("predictions", rows)
    means = inputs.con.execute("select target, avg(probability) from predictions group by target").fetchall()
    inputs.report(**{f"mean_{target}": mean for target, mean in means})
    return rows


def predict_by_champions(inputs: Inputs, as_of: str, frame: "pd.DataFrame", peers: "pd.DataFrame", builds: str) -> None:
    """Makes `predicted`, `evidence` (against the average of `peers`), `tree_evidence`, `wording` and `changes` visible,
    for the rows of `frame` in the order of crate.

    `frame` and `peers` are features; `builds` is the query for what the rows of `frame` build with, all of it among
    `peers` or `frame`. Raises BadInput if no champion may predict this date.
    """
    import pandas as pd

    from ml.counterfactuals import counterfactuals, scenarios
    from ml.explanation import explain
    from ml.features import INPUTS, values_of
    from ml.models.tree_hazard import TreeHazard
    from ml.prediction import predict, predict_tree

    champions = _champions(inputs, as_of)
    values, all_values, changed = values_of(frame), values_of(peers), scenarios(frame)
    predicted, evidence, changes = [], [], []
    inputs.con.execute("create or replace temp table tree_levels (target varchar, level double)")
    for target, champion in champions.items():
        model = champion.model
        if isinstance(model, TreeHazard):
            everyone = pd.concat([frame, peers]).drop_duplicates("crate").sort_values("crate", ignore_index=True)
            found = predict_tree(model, tree_sums(inputs, model.hazard, everyone, builds))
            inputs.con.execute("insert into tree_levels values ($1, $2)", [target.name, model.level])
        else:
            effects = model.effects(values)
            found = predict(model, target, values, effects)
            average = model.effects(all_values).mean(axis=0) if peers is not frame else effects.mean(axis=0)
            evidence.append(explain(model, values, effects, average).assign(target=target.name))
            worst = found["worst"].to_numpy()
            changes.append(counterfactuals(model, target, worst, changed).assign(target=target.name))
        predicted.append(_about(found, frame, target, champion))
    inputs.con.register("predicted", pd.concat(predicted, ignore_index=True))
    inputs.con.register("evidence", _with_crate(evidence, frame, EVIDENCE))
    inputs.con.register("changes", _with_crate(changes, frame, CHANGES))
    _tell_builds(inputs)
    inputs.con.register("wording", pd.DataFrame([asdict(i) for i in INPUTS]).rename(columns={"name": "feature"}))


def _tell_builds(inputs: Inputs) -> None:
    """Makes `tree_evidence`; without rows where no target looks at builds."""
    import pandas as pd

    if not first_row(inputs.con, "select 1 from tree_levels"):
        none = pd.DataFrame({"crate": pd.Series(dtype=str), "events": pd.Series(dtype=float)})
        inputs.con.register("crate_hazards", none)
        inputs.con.execute(
            "create or replace temp view builds as select '' as crate, []::varchar[] as build where false"
        )
    inputs.con.execute((SQL / "tree_evidence.sql").read_text())


def _about(found: "pd.DataFrame", frame: "pd.DataFrame", target: Target, champion: Registered) -> "pd.DataFrame":
    return found.assign(
        crate=frame["crate"].to_numpy(),
        target=target.name,
        is_good=target.is_good,
        horizon_days=target.horizon_days,
        base_rate=float(champion.tags["base_rate"]),
        model_id=champion.tags[MODEL_ID],
    )


def _with_crate(tables: "list[pd.DataFrame]", frame: "pd.DataFrame", types: dict[str, str]) -> "pd.DataFrame":
    """Rows of all targets, each with the name of its crate; of these columns where no target has any."""
    import pandas as pd

    if not tables:
        return pd.DataFrame({name: pd.Series(dtype=type_) for name, type_ in types.items()})
    rows = pd.concat(tables, ignore_index=True)
    return rows.assign(crate=frame["crate"].to_numpy()[rows["row"]])


def _champions(inputs: Inputs, as_of: str) -> dict[Target, Registered]:
    """By target, where there is one that learnt nothing later than the as-of date. Raises BadInput if there is none."""
    found, missing = {}, []
    for target in TARGETS:
        champion = inputs.tools.tracking.load(target.name, CHAMPION)
        if champion is None:
            missing.append(f"{target.name} has no champion: materialize predictor and backtests first")
        elif date.fromisoformat(as_of) < date.fromisoformat(champion.tags["test_as_of"]):
            missing.append(
                f"the champion for {target.name} learnt from what was known on {champion.tags['test_as_of']}: it may "
                f"not predict {as_of}, which is earlier; walk_forward has the past"
            )
        else:
            found[target] = champion
    if not found:
        raise BadInput("; ".join(missing))
    for reason in missing:
        inputs.log.warning(f"unknown: {reason}")
    return found
