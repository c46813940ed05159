"""`crates backtest`: the claims of its page, the runs it executes, and that a second run adds nothing."""

from datetime import date, datetime
from io import StringIO

import duckdb
import pyarrow as pa
import pytest
from dagster import AssetKey
from rich.console import Console

from assets.schemas.predictions import WALK_FORWARD
from cli import backtest
from cli.backtest_page import render
from cli.runs import RunInputs, execute_runs, missing_runs
from pipeline_defs.build import build_defs, build_resources
from pipeline_defs.instance import open_instance
from resources.common.settings import Settings
from resources.tracking import BACKTEST

Interval = tuple[float, float]
DATES = ("2020-03-26", "2020-04-25", "2020-06-07")
GAINS: dict[str, Interval] = {"recency": (0.01, 0.03), "lib_rs": (-0.01, 0.03), "pagerank": (-0.03, -0.01)}


def rows_of(target: str, slice_: str, test_as_of: date = date(2020, 6, 7)) -> list[dict]:
    """Rows of one slice of a test: the model, the base rate, and the GAINS of the model over three other methods."""
    values: list[tuple[str, str, float, Interval | None]] = [
        ("model", "precision_at_100", 0.42, None),
        ("model", "brier", 0.0625, None),
        ("model", "brier_skill", 0.25, (0.2, 0.3)),
        ("model", "ece", 0.0123, (0.01, 0.02)),
        ("model", "accuracy", 0.912, None),
        ("model", "majority_share", 0.9, None),
    ]
    for metric, value, ends in (("roc_auc", 0.75, (0.7, 0.8)), ("average_precision", 0.5, (0.4, 0.6))):
        values += [(method, metric, value, ends) for method in ("model", "base_rate", *GAINS)]
        values += [(method, f"{metric}_gain", sum(gain) / 2, gain) for method, gain in GAINS.items()]
    facts = {"target": target, "horizon_days": 43, "test_as_of": test_as_of, "slice": slice_, "model_id": "m"}
    counts = {"crates": 2000, "positives": 200}
    return [
        {**facts, **counts, "method": method, "metric": metric, "value": value}
        | {"low": ends and ends[0], "high": ends and ends[1]}
        for method, metric, value, ends in values
    ]


def page(rows: list[dict]) -> str:
    snapshot = {
        "source": "test",
        "taken_at": datetime(2020, 7, 20),
        "advisories_read_at": datetime(2021, 1, 1),
        "source_sha256": "0" * 64,
    }
    with duckdb.connect() as con:
        con.register("walk_forward", pa.Table.from_pylist(rows, WALK_FORWARD.arrow))
        con.register("snapshots", pa.Table.from_pylist([snapshot]))
        return render(con)


def row_of(text: str, start: str) -> list[str]:
    """The cells of the first row of a table that begins so."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return [
        *rows_of("maintenance", "unseen_families", date(2020, 5, 9)),
        *rows_of("maintenance", "unseen_families"),
        *rows_of("maintenance", "all"),
        *rows_of("security", "unseen_families"),
    ]


@pytest.mark.parametrize(
    ("method", "gain"),
    [
        ("recency", "0.020 [0.010, 0.030] ahead"),
        ("lib_rs", "0.010 [-0.010, 0.030] not clearly ahead"),
        ("pagerank", "-0.020 [-0.030, -0.010] behind"),
    ],
)
def test_claims_follow_the_interval(rows: list[dict], method: str, gain: str) -> None:
    assert row_of(page(rows), method)[3:] == [gain, gain]


def test_summary_shows_the_best_of_each_kind(rows: list[dict]) -> None:
    found = row_of(page(rows), "maintenance | 2020-06-07")
    assert found[2:6] == [
        "ROC-AUC",
        "0.750",
        "0.500, not clearly ahead".replace("0.500", "0.750"),
        "recency 0.750, ahead",
    ]
    # both formulas have the same figure: the first by name
    assert found[6:] == ["", "lib_rs 0.750, not clearly ahead", "1 of 4"]


def test_accuracy_is_shown_with_the_majority_share(rows: list[dict]) -> None:
    found = row_of(page(rows), "maintenance | 10.0%")
    assert found[2:6] == ["0.250 [0.200, 0.300]", "0.0123 [0.0100, 0.0200]", "91.2%", "90.0%"]


def test_every_date_is_shown_and_the_newest_is_summarized(rows: list[dict]) -> None:
    text = page(rows)
    assert row_of(text, "maintenance | 43") == ["maintenance", "43", "2020-05-09, 2020-06-07"]
    assert row_of(text, "2020-05-09")[1] == row_of(text, "2020-06-07")[1] == "200 of 2,000"
    assert "Tested on 2020-06-07 for 2,000 crates: 200 positives (10.0%)." in text


def test_slice_without_metrics_is_marked(rows: list[dict]) -> None:
    text = page(rows)
    assert row_of(text, "new since training (none, or too few to measure)")[1:] == [""] * 5
    assert row_of(text, "all, by the released model (200 of 2,000)")[1] == "0.750 [0.700, 0.800]"
    of_security = text[text.index("## security") :]
    assert row_of(of_security, "all, by the released model (none, or too few to measure)")[1:] == [""] * 5


def test_same_rows_give_the_same_page(rows: list[dict]) -> None:
    assert page(rows) == page(rows[::-1])


def test_backtest_runs_what_is_missing_and_adds_nothing_twice(settings: Settings) -> None:
    resources = build_resources(settings)
    store, snapshot = resources.store, resources.source.require("2020-07-20")
    runs, inputs = backtest.plan(snapshot.key, DATES), RunInputs.of(settings, snapshot)
    assert runs == [("load_snapshot", "2020-07-20"), *(("compute_features", day) for day in DATES), ("backtest", None)]
    defs, console = build_defs(settings), Console(file=StringIO())
    with open_instance(settings) as instance:
        execute_runs(defs, instance, runs, console, inputs)
        made = instance.get_latest_materialization_event(AssetKey("walk_forward"))
        assert made and made.asset_materialization
        figures = str(made.asset_materialization.metadata["figures"].value)
        before, logged = store.require("walk_forward", "latest"), _logged(settings)
        assert missing_runs(defs, instance, store, runs, inputs) == []
        execute_runs(defs, instance, [("backtest", None)], console, inputs)
    assert "| maintenance | 2020-06-07 | ROC-AUC |" in figures
    assert store.require("walk_forward", "latest").sha256 == before.sha256
    assert _logged(settings) == logged
    assert "maintenance 2020-06-07" in logged.values()
    path = backtest.write_page(settings, "2020-07-20")
    assert path == settings.data / "backtest.md"
    assert "## maintenance" in path.read_text()


def _logged(settings: Settings) -> dict[str, str]:
    """The runs of the experiment by id, each with its metrics and its training data."""
    client = build_resources(settings).tracking.start(BACKTEST)
    (experiment,) = client.search_experiments(filter_string=f"name = '{BACKTEST}'")
    runs = client.search_runs([experiment.experiment_id])
    assert all("unseen_families.roc_auc" in run.data.metrics and run.data.params["trained_on"] for run in runs)
    return {run.info.run_id: str(run.info.run_name) for run in runs}
