"""Evidence adds up exactly to the prediction, and its words describe the values."""

from typing import cast

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from assets.predictions.builds import tree_sums
from assets.table_build import SQL, BuildContext
from ml.explanation import explain
from ml.features import INPUTS, values_of, wording
from ml.models.additive import Additive
from ml.models.tree_hazard import TreeHazard
from ml.prediction import predict_tree
from ml.targets import Target
from resources.warehouse.session import run_script, set_variables
from resources.warehouse.table_store import TableStore
from testing.fitted_models import TARGET, hidden, model_of, some
from testing.table_builds import LOG

ADDITIVE = [TARGET["maintenance"], TARGET["security"]]
TOPIC = {i.name: i.topic for i in INPUTS}


def scale(model: Additive, probability: np.ndarray) -> np.ndarray:
    """The scale that effects add up on: log-odds, or the logarithm of the expected number of events."""
    return logit(probability) if model.link == "logit" else np.log(-np.log1p(-probability))


def additive(target: Target) -> Additive:
    model = model_of(target)
    assert isinstance(model, Additive)
    return model


@pytest.mark.parametrize("target", ADDITIVE, ids=lambda t: t.name)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_effects_add_up_to_the_difference_from_the_average_crate(target: Target, seed: int) -> None:
    """For all crates, and for a few fresh ones that are not among those averaged."""
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
def test_a_topic_shows_its_strongest_known_input_with_the_sign_of_its_effect(target: Target) -> None:
    model, rows = additive(target), hidden(some(25, 1), ["versions", "feature_count", "minor"], 1)
    values = values_of(rows)
    effects = model.effects(values)
    average = effects.mean(axis=0)
    evidence = explain(model, values, effects, average)
    x, moved = values.take(model.inputs).x, pd.DataFrame(effects - average, columns=model.inputs)
    assert len(evidence) == len(rows) * len({TOPIC[name] for name in model.inputs})
    for row in evidence.itertuples():
        members = [name for name in model.inputs if TOPIC[name] == row.topic]
        at = moved.loc[row.row, members]
        assert row.effect == pytest.approx(at.sum())
        known = [m for m in members if not np.isnan(x[row.row, model.inputs.index(m)])]
        strengths = at[known or members] * np.sign(row.effect)
        assert row.feature in strengths.index
        assert strengths[row.feature] == strengths.max()
        value = x[row.row, model.inputs.index(row.feature)]
        assert row.value == value or (np.isnan(row.value) and np.isnan(value))


@pytest.fixture(scope="module")
def builds() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Predictions and evidence of builds of 0 to 11 crates, computed by the SQL, and the hazard of each crate."""
    model, crates = model_of(TARGET["dependency_health"]), some(40, 7)
    assert isinstance(model, TreeHazard)
    names = crates["crate"].tolist()
    held = [
        [f"{name}@{v}.0.0" for name in names[size : 2 * size] for v in (1, 2)[: 1 + size % 2]] for size in range(12)
    ]
    with duckdb.connect() as con:
        con.register("built", pd.DataFrame({"crate": [f"root{i:02}" for i in range(12)], "build": held}))
        sums = tree_sums(
            BuildContext("", con, cast(TableStore, None), LOG), model.hazard, crates, "select crate, build from built"
        )
        con.execute("create table tree_levels as select 'dependency_health' as target, $1 as level", [model.level])
        con.execute((SQL / "tree_evidence.sql").read_text())
        evidence = con.sql("select crate, unnest(evidence, recursive := true) from tree_evidence order by all").df()
    hazards = pd.DataFrame({"crate": names, "events": model.hazard.events(values_of(crates)) * model.level})
    return pd.concat([sums["crate"], predict_tree(model, sums)], axis=1), evidence, hazards


def test_effects_of_a_build_add_up_to_its_risk(builds: tuple[pd.DataFrame, ...]) -> None:
    predicted, evidence, _ = builds
    total = evidence.groupby("crate")["effect"].sum()
    assert total.index.tolist() == predicted["crate"].tolist()
    np.testing.assert_allclose(total, -np.log1p(-predicted["probability"]), rtol=0, atol=1e-12)
    assert (predicted["probability"] > 0).tolist() == [False] + [True] * 11


def test_risk_of_a_build_is_the_sum_over_its_crates_each_counted_once(builds: tuple[pd.DataFrame, ...]) -> None:
    """Builds of odd size have two versions of each crate, which count as one crate."""
    predicted, _, hazards = builds
    for size, probability in enumerate(predicted["probability"]):
        expected = hazards["events"][size : 2 * size].sum()
        assert -np.log1p(-probability) == pytest.approx(expected, rel=1e-9, abs=1e-13)


def test_the_five_riskiest_crates_of_a_build_are_named(builds: tuple[pd.DataFrame, ...]) -> None:
    _, evidence, hazards = builds
    for size in range(1, 12):
        rows = evidence[evidence["crate"] == f"root{size:02}"].set_index("feature")
        held = hazards[size : 2 * size].sort_values(["events", "crate"], ascending=[False, True])
        named = rows.drop(index="others", errors="ignore")
        assert set(named.index) == set(held["crate"][:5])
        np.testing.assert_allclose(named.loc[held["crate"][:5], "effect"], held["events"][:5], rtol=1e-6, atol=1e-13)
        assert ("others" in rows.index) == (size > 5)
        first = held.iloc[0]
        share = 100 * first["events"] / held["events"].sum()
        assert rows.loc[first["crate"], "words"] == f"Builds with {first['crate']}: {share:.0f}% of the dependency risk"
    assert evidence[evidence["crate"] == "root00"]["words"].tolist() == ["Builds with no other crate"]
    assert evidence["words"].str.startswith("1 other crate in its build: ").sum() == 1
    assert evidence["words"].str.startswith("6 other crates in its build: ").sum() == 1


NAN = float("nan")
WORDS = [
    ("days_since_release_min", 1567, (1567, 1567), "No release for 1,567 days"),
    ("days_since_release_max", 1567, (1567, 1567), "No release for 1,567 days"),
    ("days_since_release_max", 1567, (989.4, 1567), "No release for 989 to 1,567 days"),
    ("days_since_release_min", 36.4, (36.4, NAN), "No release for at least 36 days"),
    ("days_since_release_max", NAN, (36.4, NAN), "No release for at least 36 days"),
    ("days_since_release_max", 36.4, (NAN, 36.4), "No release for up to 36 days"),
    ("days_since_release_max", NAN, (NAN, NAN), "Unknown: time since the last release"),
    ("days_since_release_min", 1, (1, 1), "No release for 1 day"),
    ("days_since_release_min", 4.97, (4.97, 4.98), "No release for 5 days"),
    ("days_since_release_min", 2.5, (2.5, 2.5), "No release for 2.5 days"),
    ("days_since_release_min", 0, (0, 0), "Released on the as-of date"),
    ("releases_90d_min", 3, (3, 3), "Releases in the last 90 days: 3"),
    ("releases_90d_min", 0, (0, 3), "Releases in the last 90 days: 0 to 3"),
    ("releases_90d_max", 0, (0, 0), "No release in the last 90 days"),
    ("minor", 1, (1, 1), "Minor version number: 1"),
    ("edition", 2018, (2018, 2018), "Rust edition: 2018"),
    ("pagerank", 3.25, (3.25, 3.25), "Importance in the dependency graph: 3.3 times the average crate's"),
    ("downloads_30d", 1234567, (1234567, 1234567), "Downloads in the last 30 days: 1,234,567"),
]


@pytest.mark.parametrize(("feature", "value", "bounds", "words"), WORDS, ids=lambda value: str(value))
def test_words_state_the_value_or_its_range(
    feature: str, value: float, bounds: tuple[float, float], words: str
) -> None:
    about = {"crate": "a", "target": "maintenance"}
    prediction = {"probability": 0.3, "worst": 0.2, "best": 0.4, "base_rate": 0.1, "coverage": 1.0}
    row = {"topic": "t", "feature": feature, "value": value, "low": bounds[0], "high": bounds[1], "effect": 0.5}
    tables = {
        "predicted": [{**about, **prediction, "horizon_days": 43, "is_good": True, "model_id": "x"}],
        "peers": [{"target": "maintenance", "is_good": True, "worst": 0.2}],
        "evidence": [{**about, **row}],
        "tree_evidence": [],
        "changes": [],
    }
    empty = {
        "tree_evidence": "(crate varchar, target varchar, evidence struct(topic varchar, feature varchar, "
        "value double, effect double, words varchar)[])",
        "changes": "(crate varchar, target varchar, change varchar, is_advice bool, probability double, worst double)",
    }
    with duckdb.connect() as con:
        set_variables(con, as_of="2020-07-20")
        con.register("wording", wording())
        for name, rows in tables.items():
            if name in empty:
                con.execute(f"create table {name} {empty[name]}")
            else:
                con.register(name, pd.DataFrame(rows))
        (found,) = run_script(con, SQL / "predictions.sql").to_pylist()
    assert [e["words"] for e in found["evidence"]] == [words]
    assert found["changes"] == []


def test_every_input_has_words_for_its_value() -> None:
    for row in wording().itertuples():
        assert row.subject[0].islower() or row.subject.split()[0] in {"Cargo", "Rust"}
        assert "{}" in row.words or "{plain}" in row.words or row.zero
