"""Evidence adds up to the prediction, exactly, and tells what it says it tells."""

from typing import cast

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from assets.predictions.builds import tree_sums
from assets.table_asset import SQL, Inputs, Tools
from ml.explanation import explain
from ml.features import INPUTS, values_of
from ml.models.additive import Additive
from ml.models.tree_hazard import TreeHazard
from ml.prediction import predict_tree
from ml.targets import Target
from testing.fitted_models import TARGET, hidden, model_of, some
from testing.table_builds import LOG

ADDITIVE = [TARGET["maintenance"], TARGET["security"]]
TOPIC = {i.name: i.topic for i in INPUTS}


def scale(model: Additive, probability: np.ndarray) -> np.ndarray:
    """What effects add up on: log-odds, or the logarithm of the expected number of events."""
    return logit(probability) if model.link == "logit" else np.log(-np.log1p(-probability))


def additive(target: Target) -> Additive:
    model = model_of(target)
    assert isinstance(model, Additive)
    return model


@pytest.mark.parametrize("target", ADDITIVE, ids=lambda t: t.name)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_effects_add_up_to_the_distance_from_the_peers(target: Target, seed: int) -> None:
    """Among all crates, and for a few that are fresh, among crates that they are not of."""
    model, peers = additive(target), hidden(some(60, seed), ["versions", "feature_count", "pagerank"], seed)
    effects = model.effects(values_of(peers))
    average = effects.mean(axis=0)
    expected = scale(model, model.probability(effects)).mean()
    for rows in (peers, some(5, seed + 1)):
        own = model.effects(values_of(rows))
        evidence = explain(model, values_of(rows), own, average)
        total = evidence.groupby("row")["effect"].sum().to_numpy()
        np.testing.assert_allclose(total, scale(model, model.probability(own)) - expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("target", ADDITIVE, ids=lambda t: t.name)
def test_a_topic_is_told_by_its_strongest_input_that_pulls_its_way(target: Target) -> None:
    model, rows = additive(target), hidden(some(25, 1), ["versions", "feature_count", "minor"], 1)
    values = values_of(rows)
    effects = model.effects(values)
    average = effects.mean(axis=0)
    evidence = explain(model, values, effects, average)
    x, moved = values.take(model.inputs).x, pd.DataFrame(effects - average, columns=model.inputs)
    assert len(evidence) == len(rows) * len({TOPIC[name] for name in model.inputs})
    for told in evidence.itertuples():
        members = [name for name in model.inputs if TOPIC[name] == told.topic]
        at = moved.loc[told.row, members]
        assert told.effect == pytest.approx(at.sum())
        known = [m for m in members if not np.isnan(x[told.row, model.inputs.index(m)])]
        pulls = at[known or members] * np.sign(told.effect)
        assert told.feature in pulls.index
        assert pulls[told.feature] == pulls.max()
        value = x[told.row, model.inputs.index(told.feature)]
        assert told.value == value or (np.isnan(told.value) and np.isnan(value))


@pytest.fixture(scope="module")
def builds() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Predictions, evidence of each build, and the hazard of each crate: by the SQL, of builds of 0 to 11 crates."""
    model, crates = model_of(TARGET["dependency_health"]), some(40, 7)
    assert isinstance(model, TreeHazard)
    names = crates["crate"].tolist()
    held = [
        [f"{name}@{v}.0.0" for name in names[size : 2 * size] for v in (1, 2)[: 1 + size % 2]] for size in range(12)
    ]
    with duckdb.connect() as con:
        con.register("built", pd.DataFrame({"crate": [f"root{i:02}" for i in range(12)], "build": held}))
        sums = tree_sums(
            Inputs("", con, cast(Tools, None), LOG), model.hazard, crates, "select crate, build from built"
        )
        con.execute("create table tree_levels as select 'dependency_health' as target, $1 as level", [model.level])
        con.execute((SQL / "tree_evidence.sql").read_text())
        told = con.sql("select crate, unnest(evidence, recursive := true) from tree_evidence order by all").df()
    hazards = pd.DataFrame({"crate": names, "events": model.hazard.events(values_of(crates)) * model.level})
    return pd.concat([sums["crate"], predict_tree(model, sums)], axis=1), told, hazards


def test_shares_of_a_build_add_up_to_its_risk(builds: tuple[pd.DataFrame, ...]) -> None:
    predicted, told, _ = builds
    total = told.groupby("crate")["effect"].sum()
    assert total.index.tolist() == predicted["crate"].tolist()
    np.testing.assert_allclose(total, -np.log1p(-predicted["probability"]), rtol=0, atol=1e-12)
    assert (predicted["probability"] > 0).tolist() == [False] + [True] * 11


def test_a_build_is_the_sum_of_its_crates_each_once(builds: tuple[pd.DataFrame, ...]) -> None:
    """Odd builds hold two versions of each crate, which is one crate's risk."""
    predicted, _, hazards = builds
    for size, probability in enumerate(predicted["probability"]):
        expected = hazards["events"][size : 2 * size].sum()
        assert -np.log1p(-probability) == pytest.approx(expected, rel=1e-9, abs=1e-13)


def test_the_five_crates_that_hold_most_are_named(builds: tuple[pd.DataFrame, ...]) -> None:
    _, told, hazards = builds
    for size in range(1, 12):
        rows = told[told["crate"] == f"root{size:02}"].set_index("feature")
        held = hazards[size : 2 * size].sort_values(["events", "crate"], ascending=[False, True])
        named = rows.drop(index="others", errors="ignore")
        assert set(named.index) == set(held["crate"][:5])
        np.testing.assert_allclose(named.loc[held["crate"][:5], "effect"], held["events"][:5], rtol=1e-6, atol=1e-13)
        assert ("others" in rows.index) == (size > 5)
        first = held.iloc[0]
        share = 100 * first["events"] / held["events"].sum()
        assert rows.loc[first["crate"], "words"] == f"builds with {first['crate']}: {share:.0f}% of the risk"
    assert told[told["crate"] == "root00"]["words"].tolist() == ["builds with no other crate"]
    assert told["words"].str.startswith("1 other crate in its build: ").sum() == 1
    assert told["words"].str.startswith("6 other crates in its build: ").sum() == 1
