"""Promotion of challengers, and storage of models."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dagster import AssetCheckResult, MetadataValue

from assets.partitions import LATEST
from assets.predictions.backtests import challenger_is_promoted
from assets.predictions.predictor import CHALLENGER, CHAMPION
from assets.predictions.promotion import judge
from assets.schemas.predictions import BACKTESTS
from ml.features import COLUMNS
from ml.models.additive import Additive
from ml.models.tree_hazard import TreeHazard
from resources.tracking import MODEL_ID, Tracking
from resources.warehouse.table_store import TableStore
from testing.fitted_models import TARGET, hazard, model_of, register, some

BASE_RATE = 0.40


def figures(**log_loss: float) -> pd.DataFrame:
    """Rows of `backtests`: the log loss of these methods on all crates, and rows that must be ignored."""
    values = {"base_rate": BASE_RATE, **log_loss}
    rows = [(m, "all", "log_loss", value) for m, value in values.items()]
    rows += [(m, "unseen_families", "log_loss", -value) for m, value in values.items()]
    rows += [(m, "all", "brier", -value) for m, value in values.items()]
    found = pd.DataFrame(rows, columns=["method", "slice", "metric", "value"])
    about = {"low": None, "high": None, "covers": None, "crates": 9, "positives": 3, "model_id": "x"}
    return found.assign(target="maintenance", horizon_days=43, test_as_of=pd.Timestamp(2020, 6, 7).date(), **about)


@pytest.mark.parametrize(
    ("log_loss", "promoted", "words"),
    [
        ({"model": 0.41}, False, "not promoted: its log loss 0.41000 is no better than the base rate's 0.40000"),
        ({"model": 0.40}, False, "not promoted: its log loss 0.40000 is no better than the base rate's 0.40000"),
        ({"model": 0.41, "champion": 0.42}, False, "not promoted: .* than the base rate's"),
        ({"model": 0.39}, True, "promoted: its log loss 0.39000 beats the base rate's 0.40000; no champion yet"),
        ({"model": 0.39, "champion": 0.38}, False, "not promoted: .* 0.39000 is no better than the champion's 0.38000"),
        ({"model": 0.39, "champion": 0.39}, False, "not promoted: .* is no better than the champion's"),
        ({"model": 0.38, "champion": 0.39}, True, "promoted: its log loss 0.38000 beats the champion's 0.39000"),
    ],
)
def test_lower_log_loss_on_all_crates_is_promoted(log_loss: dict, promoted: bool, words: str) -> None:
    verdict = judge(figures(**log_loss))
    assert verdict.promoted is promoted
    assert re.match(words, verdict.words)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    return Tracking(folder=str(tmp_path_factory.mktemp("mlflow")))


def test_check_promotes_only_better_challengers(tracking: Tracking, tmp_path: Path) -> None:
    """All challengers are the same model: only the metrics decide."""
    store, client, name = TableStore(root=str(tmp_path)), tracking.start(), "maintenance"
    first = client.get_model_version(name, register(tracking, name, hazard(), {}).version)
    client.delete_registered_model_alias(name, CHAMPION)

    def check(**log_loss: float) -> tuple[bool, str | None, str]:
        """Checks a new challenger: whether the check passed, the champion afterwards, and the verdict."""
        version = str(client.create_model_version(name, str(first.source), first.run_id).version)
        client.set_registered_model_alias(name, CHALLENGER, version)
        rows = pa.Table.from_pandas(figures(**log_loss)[BACKTESTS.arrow.names], BACKTESTS.arrow, preserve_index=False)
        store.publish(BACKTESTS, LATEST, rows)
        result = challenger_is_promoted(store=store, tracking=tracking)
        assert isinstance(result, AssetCheckResult)
        words = client.get_model_version(name, version).tags["verdict"]
        assert result.metadata == {name: MetadataValue.text(words)}
        champion = tracking.load(name, CHAMPION)
        return result.passed, champion.version if champion else None, words.split(":")[0]

    assert check(model=0.41) == (False, None, "not promoted")  # no champion
    assert check(model=0.39) == (True, "3", "promoted")
    assert check(model=0.39, champion=0.38) == (True, "3", "not promoted")


@pytest.mark.parametrize("name", ["quality", "security", "dependency_health"])
def test_stored_model_equals_the_original(tracking: Tracking, name: str) -> None:
    model = model_of(TARGET[name])
    found = register(tracking, name, model, {MODEL_ID: model.digest()})
    assert found.tags[MODEL_ID] == found.model.digest() == model.digest()
    assert tracking.find(name, model.digest()) == found.version
    assert tracking.find(name, "another") is None
    if isinstance(model, TreeHazard):
        sums = np.linspace(0, 3, 50)
        assert (found.model.probability(sums) == model.probability(sums)).all()
        return
    rows = some(50, 1)
    assert isinstance(found.model, Additive)
    assert (found.model.predict_proba(rows[COLUMNS]) == model.predict_proba(rows)).all()
    assert model.predict_proba(rows).sum(axis=1) == pytest.approx(1)
