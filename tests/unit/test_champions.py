"""A champion predicts no date before the one that it was tested on: its training data were not known then."""

from dataclasses import dataclass
from typing import cast

import duckdb
import pytest

from assets.predictions.predictions import predict_by_champions
from assets.predictions.predictor import CHAMPION
from assets.table_build import BuildContext
from resources.common.errors import BadInput
from resources.tracking import MODEL_ID, ModelVersion, Tracking
from resources.warehouse.table_store import TableStore
from testing.fitted_models import TARGET, model_of, some
from testing.table_builds import LOG

TESTED = {"maintenance": "2020-03-01", "popularity": "2020-05-01"}  # the test date of each champion


@dataclass(frozen=True)
class Champions(Tracking):
    """A model registry without MLflow, with the champions of two targets."""

    def load(self, name: str, alias: str) -> ModelVersion | None:
        assert alias == CHAMPION
        if name not in TESTED:
            return None
        found = ModelVersion(name, "1", "run", {MODEL_ID: "model", "base_rate": "0.1", "test_as_of": TESTED[name]})
        vars(found)["model"] = model_of(TARGET[name])  # as if it had been loaded
        return found


def predicted_targets(as_of: str) -> list[str]:
    rows = some(5, 1).sort_values("crate", ignore_index=True)
    with duckdb.connect() as con:
        context = BuildContext(as_of, con, cast(TableStore, None), LOG)
        predict_by_champions(context, Champions(folder=""), as_of, rows, rows, "")
        return [target for (target,) in con.execute("select distinct target from predicted order by all").fetchall()]


@pytest.mark.parametrize(
    ("as_of", "targets"),
    [
        ("2020-05-01", ["maintenance", "popularity"]),
        ("2020-04-30", ["maintenance"]),
        ("2020-03-01", ["maintenance"]),
    ],
)
def test_date_is_predicted_by_the_champions_that_were_tested_by_then(as_of: str, targets: list[str]) -> None:
    assert predicted_targets(as_of) == targets


def test_date_before_the_test_of_every_champion_is_rejected() -> None:
    with pytest.raises(BadInput, match="known on 2020-03-01, so it cannot predict the earlier date 2020-02-29"):
        predicted_targets("2020-02-29")
