"""Unknown inputs only lower the worst end and widen the range, for every kind of model and both kinds of outcome."""

from typing import cast

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.predictions.builds import tree_sums
from assets.table_build import BuildContext
from ml.features import BOUNDED, COLUMNS, values_of
from ml.models.additive import Additive
from ml.models.tree_hazard import TreeHazard
from ml.prediction import predict, predict_tree
from ml.targets import Target
from resources.warehouse.table_store import TableStore
from testing.fitted_models import TARGET, hidden, model_of, some
from testing.table_builds import LOG

ADDITIVE = [TARGET["maintenance"], TARGET["security"]]
KINDS = [*ADDITIVE, TARGET["dependency_health"]]
CRATES = 40
few = settings(max_examples=8, deadline=None)
some_columns = st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=12, unique=True)


def predicted(target: Target, crates: pd.DataFrame) -> pd.DataFrame:
    """The prediction of the target's model for each crate, or for builds of these crates."""
    model = model_of(target)
    if isinstance(model, TreeHazard):
        return predict_tree(model, sums_of(model, crates))
    values = values_of(crates)
    return predict(model, target, values, model.effects(values))


def sums_of(model: TreeHazard, crates: pd.DataFrame) -> pd.DataFrame:
    """The sums of builds of 0 to 9 crates, computed by the SQL."""
    names = crates["crate"].tolist()
    builds = [(f"root{size:02}", [f"{n}@1.0.0" for n in names[size :: size + 1][:size]]) for size in range(10)]
    with duckdb.connect(config={"threads": 1}) as con:
        con.register("built", pd.DataFrame(builds, columns=["crate", "build"]))
        return tree_sums(
            BuildContext("", con, cast(TableStore, None), LOG), model.hazard, crates, "select crate, build from built"
        )


def assert_no_better(target: Target, before: pd.DataFrame, after: pd.DataFrame) -> None:
    """Exact to the bit: worst end and coverage are not better, and the range is not narrower."""
    sign = 1 if target.is_good else -1
    assert (sign * after["worst"] <= sign * before["worst"]).all()
    assert (sign * after["best"] >= sign * before["best"]).all()
    assert (after["coverage"] <= before["coverage"]).all()


def assert_in_range(target: Target, found: pd.DataFrame) -> None:
    low, high = ("worst", "best") if target.is_good else ("best", "worst")
    assert (found[low] <= found["probability"]).all()
    assert (found["probability"] <= found[high]).all()
    assert found[[low, high, "coverage"]].min(axis=None) >= 0
    assert found[[low, high, "coverage"]].max(axis=None) <= 1


@pytest.mark.parametrize("target", KINDS, ids=lambda t: t.name)
@few
@given(seed=st.integers(0, 2**32 - 1), first=some_columns, then=some_columns)
def test_hiding_inputs_never_improves_the_worst_end(
    target: Target, seed: int, first: list[str], then: list[str]
) -> None:
    known = some(CRATES, seed)
    less = hidden(known, first, seed)
    even_less = hidden(less, then, seed + 1)
    before, after, at_last = (predicted(target, rows) for rows in (known, less, even_less))
    assert_no_better(target, before, after)
    assert_no_better(target, after, at_last)
    assert_in_range(target, before)
    assert_in_range(target, at_last)


@pytest.mark.parametrize("target", KINDS, ids=lambda t: t.name)
@few
@given(seed=st.integers(0, 2**32 - 1), blur=st.integers(1, 9))
def test_looser_bounds_never_improve_the_worst_end(target: Target, seed: int, blur: int) -> None:
    """An exact value, then bounds around it, then wider bounds."""
    exact = some(CRATES, seed)
    ends = set(BOUNDED.values())
    exact = exact.assign(**{high: exact[low] for low, high in ends})
    near, far = (
        exact.assign(
            **{low: (exact[low] - by).clip(lower=0) for low, _ in ends}, **{high: exact[high] + by for _, high in ends}
        )
        for by in (blur, 2 * blur)
    )
    before, after, at_last = (predicted(target, rows) for rows in (exact, near, far))
    assert_no_better(target, before, after)
    assert_no_better(target, after, at_last)
    assert_in_range(target, at_last)


@pytest.mark.parametrize("target", KINDS, ids=lambda t: t.name)
def test_crate_without_known_inputs_has_the_widest_range_and_no_coverage(target: Target) -> None:
    known = some(CRATES, 5)
    before, after = (
        predicted(target, known),
        predicted(target, known.assign(**dict.fromkeys(COLUMNS, np.nan))),
    )
    held = before["probability"] > 0  # an empty build has no unknown inputs
    assert ((after["best"] - after["worst"]).abs() > (before["best"] - before["worst"]).abs())[held].all()
    assert (after["coverage"][held] == 0).all()
    assert (after.loc[~held, ["worst", "best"]] == 0).all(axis=None)


@pytest.mark.parametrize("target", ADDITIVE, ids=lambda t: t.name)
def test_ends_equal_those_of_trying_every_value(target: Target) -> None:
    """One input at a time: an end is the effect of a value that the input can have, or of a missing value."""
    model = model_of(target)
    assert isinstance(model, Additive)
    known = some(CRATES, 6)
    for i, name in enumerate(model.inputs):
        partly = known.assign(**{name: np.nan}) if name not in BOUNDED else known
        low, high = (known[end].to_numpy(dtype=float) for end in BOUNDED.get(name, (name, name)))
        lowest, highest = (ends[:, i] for ends in model.ends(values_of(partly), model.effects(values_of(partly))))
        values = np.unique([*model.steps[i], *(model.steps[i] + 1e-6), -1, 1e9, *low, *high])
        values = values[~np.isnan(values)]
        tried = np.append(model.parts[i], model.missing[i])[np.searchsorted(model.steps[i], values)]
        possible = np.ones((CRATES, len(values)), dtype=bool)
        if name in BOUNDED:
            possible = ~(values < low[:, None]) & ~(values > high[:, None])
        absent = np.where(known[name].isna() | (name not in BOUNDED), model.missing[i], np.nan)
        minimum = np.where(possible, tried, np.inf).min(axis=1)
        np.testing.assert_array_equal(lowest, np.fmin(minimum, absent))
        np.testing.assert_array_equal(highest, np.fmax(np.where(possible, tried, -np.inf).max(axis=1), absent))
