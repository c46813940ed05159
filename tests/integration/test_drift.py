"""Drift: the population stability index, the `drift` table on synthetic dates, and when the sensor retrains."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dagster import AssetCheckResult, AssetCheckSeverity, DagsterInstance, RunRequest, SkipReason, build_sensor_context
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from assets.predictions.drift import drifted_targets, no_retraining_needed
from assets.schemas.drift import DRIFT
from assets.schemas.features import FEATURES, LABELS
from assets.schemas.predictions import PREDICTIONS
from ml.drift import MAX_PSI, MIN_SHARE, calibration_error, predicted_to_observed, stability_index
from ml.features import values_of
from ml.models.additive import Additive
from pipeline_defs.build import Resources
from pipeline_defs.retraining import retrain_on_drift
from resources.common.errors import BadInput
from resources.tracking import MODEL_ID, ModelVersion, Tracking
from resources.warehouse.schema import Table
from testing.fitted_models import frame
from testing.table_builds import build, bundled_resources

TESTED, MATURED, NOT_YET, AS_OF = "2020-05-01", "2020-06-01", "2020-06-20", "2020-07-20"
CRATES, TARGET, DAYS = 2000, "maintenance", 43
NEVER_MOVES = ("pagerank", "patch", "edition")
# with more versions the outcome is more likely: 60% instead of 10%
MODEL = Additive(
    ["versions", *NEVER_MOVES],
    [np.array([5.0]), *[np.array([1.0])] * 3],
    [np.array([logit(0.1), logit(0.6)]), *[np.zeros(2)] * 3],
    np.zeros(4),
    0.0,
    "logit",
)

values = st.one_of(st.just(float("nan")), st.integers(-5, 40).map(float))
samples = st.lists(values, min_size=1, max_size=80).map(np.array)


def test_index_of_two_values() -> None:
    reference, now = np.repeat([0.0, 1.0], [50, 50]), np.repeat([0.0, 1.0], [80, 20])
    assert stability_index(reference, now) == pytest.approx(0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5))


def test_index_of_deciles() -> None:
    """Values that were spread over ten bins are now all in the first; the other shares count as MIN_SHARE."""
    expected = 0.9 * np.log(10) + 9 * (MIN_SHARE - 0.1) * np.log(MIN_SHARE / 0.1)
    assert stability_index(np.arange(100.0), np.full(30, 3.0)) == pytest.approx(expected)


def test_missing_values_are_a_bin() -> None:
    reference, now = np.repeat([np.nan, 1.0], [10, 90]), np.ones(50)
    expected = (MIN_SHARE - 0.1) * np.log(MIN_SHARE / 0.1) + 0.1 * np.log(1 / 0.9)
    assert stability_index(reference, now) == pytest.approx(expected)
    assert stability_index(np.full(5, np.nan), np.full(9, np.nan)) == 0
    assert stability_index(np.full(5, np.nan), np.ones(9)) > MAX_PSI


@given(samples, samples)
def test_index_is_never_negative_and_ignores_order(reference: np.ndarray, now: np.ndarray) -> None:
    index = stability_index(reference, now)
    assert index >= 0
    assert stability_index(reference[::-1], np.sort(now)) == index
    assert stability_index(reference, np.repeat(now, 3)) == pytest.approx(index)
    assert stability_index(reference, reference) == 0


def test_calibration_of_known_cases() -> None:
    label = np.repeat([True, False], [50, 50])
    assert calibration_error(label, np.full(100, 0.5)) == pytest.approx(0.5)  # ten bins of one class each
    assert calibration_error(label, label.astype(float)) == 0
    assert predicted_to_observed(label, np.full(100, 0.5)) == 1
    assert predicted_to_observed(np.zeros(100, dtype=bool), np.full(100, 0.4)) == pytest.approx(40.5 / 0.5)
    assert predicted_to_observed(label[45:], np.full(55, 0.1)) is None


@dataclass(frozen=True)
class Models(Tracking):
    """A model registry without MLflow: one target has models, tested on the date of each alias."""

    folder: str = ""
    tested: dict[str, str] = field(default_factory=dict)

    def load(self, name: str, alias: str) -> ModelVersion | None:
        tags = {"test_as_of": self.tested[alias], MODEL_ID: "model"}
        found = ModelVersion(name, "1", "run", tags)
        vars(found)["model"] = MODEL  # as if it had been loaded
        return found if name == TARGET else None


@cache
def crates(seed: int) -> pd.DataFrame:
    """Cached: callers must not modify it."""
    return frame(CRATES, seed)


def matured(features: pd.DataFrame) -> pd.Series:
    """Labels that are positive with the predicted probability."""
    probability = MODEL.probability(MODEL.effects(values_of(features)))
    return pd.Series(np.random.default_rng(7).random(CRATES) < probability)


def publish(resources: Resources, table: Table, key: str, rows: pd.DataFrame) -> None:
    """Publishes rows; columns that they lack are null."""
    names = table.arrow.names
    kept = pa.Table.from_pandas(rows.reindex(columns=names), preserve_index=False)
    nulls = {name: pa.nulls(len(rows)) for name in names if name not in rows}
    resources.store.publish(table, key, pa.table([nulls.get(name, kept[name]) for name in names], names))


def date_of(key: str, rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(as_of=date.fromisoformat(key)).sort_values("crate")


def warehouse(folder: Path, now: pd.DataFrame, label: Callable[[pd.DataFrame], pd.Series] = matured) -> Resources:
    """Features of four dates, predictions of the last, labels of two (one known only after the last date), and models
    tested on the first."""
    made = replace(
        bundled_resources(folder, folder), tracking=Models(tested={"champion": TESTED, "challenger": TESTED})
    )
    for key, features in ((TESTED, crates(1)), (MATURED, crates(2)), (NOT_YET, crates(3)), (AS_OF, now)):
        publish(made, FEATURES, key, date_of(key, features))
    for key, features in ((MATURED, crates(2)), (NOT_YET, crates(3))):
        labels = features[["crate", "family"]].assign(target=TARGET, horizon_days=DAYS, label=label(features))
        publish(made, LABELS, key, date_of(key, labels))
    predictions = now[["crate"]].assign(target=TARGET, model_id="model")
    predictions["probability"] = MODEL.probability(MODEL.effects(values_of(now)))
    publish(made, PREDICTIONS, AS_OF, date_of(AS_OF, predictions))
    return made


def drift_of(resources: Resources) -> pd.DataFrame:
    return build("drift", AS_OF, resources).rows.to_pandas().set_index("name")


def checked(resources: Resources) -> AssetCheckResult:
    found = no_retraining_needed(resources.store, resources.sessions)
    assert isinstance(found, AssetCheckResult)
    return found


def moved() -> pd.DataFrame:
    """Crates with many more versions than before."""
    return crates(4).assign(versions=lambda made: made["versions"] + 9)


def test_similar_crates_do_not_drift(tmp_path: Path) -> None:
    made = warehouse(tmp_path, crates(4))
    rows = drift_of(made)
    assert list(rows.index) == ["ece", "predicted_to_observed", *sorted(MODEL.inputs), "probability"]
    assert list(rows["kind"].unique()) == ["calibration", "input", "score"]
    assert not rows["is_drifted"].any()
    assert (rows["reference_as_of"] == date.fromisoformat(TESTED)).all()
    assert list(rows["labels_as_of"].dropna().unique()) == [date.fromisoformat(MATURED)]
    assert checked(made).passed


def test_drift_of_inputs_and_scores_is_reported(tmp_path: Path) -> None:
    made = warehouse(tmp_path, moved())
    rows = drift_of(made)
    assert list(rows.index[rows["is_drifted"]]) == ["versions", "probability"]
    before, now = (x["versions"].to_numpy() for x in (crates(1), moved()))
    assert rows.loc["versions", "value"] == stability_index(before, now)
    result = checked(made)
    assert not result.passed
    assert result.severity == AssetCheckSeverity.WARN
    assert result.metadata["needs_retraining"].value == TARGET
    for words in ("input versions: ", "score probability: ", "(threshold 0.25)"):
        assert words in str(result.metadata[TARGET].value)


def test_one_drifted_input_is_listed_without_a_warning(tmp_path: Path) -> None:
    made = warehouse(tmp_path, crates(4))
    rows = build("drift", AS_OF, made).rows.to_pandas()
    name = sorted(MODEL.inputs)[0]
    rows.loc[rows["name"] == name, "is_drifted"] = True
    made.store.publish(DRIFT, AS_OF, pa.Table.from_pandas(rows, DRIFT.arrow, preserve_index=False))
    result = checked(made)
    assert result.passed
    assert f"input {name}: " in str(result.metadata[TARGET].value)
    assert result.metadata["needs_retraining"].value == ""


def test_miscalibration_is_drift(tmp_path: Path) -> None:
    rows = drift_of(warehouse(tmp_path, crates(4), lambda features: pd.Series(False, range(len(features)))))
    assert list(rows.index[rows["is_drifted"]]) == ["ece", "predicted_to_observed"]


def test_calibration_uses_only_labels_newer_than_the_test(tmp_path: Path) -> None:
    made = warehouse(tmp_path, crates(4))
    later = replace(made, tracking=Models(tested={"champion": MATURED, "challenger": MATURED}))
    assert "calibration" not in set(drift_of(later)["kind"])


def test_predictions_of_another_model_raise(tmp_path: Path) -> None:
    made = warehouse(tmp_path, crates(4))
    others = crates(4)[["crate"]].assign(target=TARGET, model_id="another", probability=0.5)
    publish(made, PREDICTIONS, AS_OF, date_of(AS_OF, others))
    with pytest.raises(
        BadInput, match="2020-07-20 were not made by the current champion of maintenance: materialize predictions"
    ):
        build("drift", AS_OF, made)


@pytest.mark.parametrize(
    ("drifted", "inputs", "calls"),
    [("probability", 9, [True]), ("ece", 9, [True]), ("input 0", 3, [True]), ("input 0", 4, [False]), ("none", 3, [])],
)
def test_rule_for_retraining(drifted: str, inputs: int, calls: list[bool]) -> None:
    """A drifted score or calibration is enough, or a third of the inputs; targets without drift are omitted."""
    kinds = {"probability": "score", "ece": "calibration"} | {f"input {i}": "input" for i in range(inputs)}
    rows = pd.DataFrame([{"target": "t", "kind": kind, "name": name} for name, kind in kinds.items()])
    with duckdb.connect() as con:
        con.register("drift", rows.assign(value=1.0, threshold=0.25, is_drifted=rows["name"] == drifted))
        assert [found.needs_retraining for found in drifted_targets(con)] == calls


def evaluate(resources: Resources, times: int = 1) -> RunRequest | SkipReason:
    """The result of the last of `times` evaluations of the sensor."""
    used = {name: getattr(resources, name) for name in ("store", "sessions", "tracking")}
    with DagsterInstance.ephemeral() as instance:
        context = build_sensor_context(instance=instance, resources=used)
        *_, result = (retrain_on_drift(context) for _ in range(times))
    assert isinstance(result, RunRequest | SkipReason)
    return result


def reason(result: RunRequest | SkipReason) -> str:
    assert isinstance(result, SkipReason)
    return result.skip_message or ""


def test_sensor_retrains_once_per_drift(tmp_path: Path) -> None:
    made = warehouse(tmp_path, moved())
    assert "drift has not been measured yet" in reason(evaluate(made))
    build("drift", AS_OF, made)
    asked = evaluate(made)
    assert isinstance(asked, RunRequest)
    assert asked.run_key == f"{AS_OF} model"
    assert retrain_on_drift.job_name == "train_predictor"
    assert "already" in reason(evaluate(made, times=2))


def test_sensor_does_not_retrain_without_new_labels(tmp_path: Path) -> None:
    """A challenger was already tested on the newest labels and was not promoted."""
    made = warehouse(tmp_path, moved())
    build("drift", AS_OF, made)
    tried = replace(made, tracking=Models(tested={"champion": TESTED, "challenger": NOT_YET}))
    assert f"would change nothing: the champions that drifted by {AS_OF}" in reason(evaluate(tried))
    assert f"{TARGET} {NOT_YET}" in reason(evaluate(tried))


def test_sensor_skips_without_drift(tmp_path: Path) -> None:
    made = warehouse(tmp_path, crates(4))
    build("drift", AS_OF, made)
    assert "no champion drifted enough by 2020-07-20 to be retrained" in reason(evaluate(made))
    path = made.store.require("drift", AS_OF).path
    path.write_bytes(path.read_bytes()[:-1])
    assert "is missing or truncated: materialize drift for 2020-07-20 again" in reason(evaluate(made))
