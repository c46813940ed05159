"""One run of the real DAG on every crate of 20 July 2020, and SQL while a run writes."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from dagster import DagsterRunStatus

from assets.schemas import TABLES
from assets.schemas.predictions import TARGET_NAMES
from cli import demo as demo_module
from ml.baselines import BASELINES
from ml.baselines.naive import SIGNALS
from pipeline_defs.instance import open_instance
from resources.common.settings import PROJECT, Settings

Demo = tuple[Settings, str]
# the bundled registry is of the past: nothing happens in it, no snapshot is kept; walk_forward is `make backtest`'s
NOT_MADE = ("events", "fresh_features", "fresh_predictions", "retained_snapshots", "walk_forward")
ADOPTED = ("popularity", "quality")  # targets that tell whether others build on a crate
MADE = {name: table for name, table in TABLES.items() if name not in NOT_MADE}


@pytest.fixture
def sql(demo: Demo) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(demo[0].catalog), read_only=True)


def one(con: duckdb.DuckDBPyConnection, query: str) -> tuple:
    return con.execute(query).fetchall()[0]


def test_answer_is_printed(demo: Demo) -> None:
    settings, printed = demo
    for part in ("most need attention", "rust-crypto", "an advisory calls it unmaintained", "Backtest", "base_rate"):
        assert part in printed, part
    for part in ("(nobody can act): ", "Risk: ", "Why: ", "Would change it: ", "logistic_regression", *TARGET_NAMES):
        assert part in printed, part
    for command in ("make ui", "make sql", "make backtest", str(settings.catalog)):
        assert command in printed
    for line in ("other projects build on it.", "Scores: maintenance "):
        assert printed.count(line) == 10, line


def test_run_history_is_kept(demo: Demo) -> None:
    with open_instance(demo[0]) as instance:
        runs = instance.get_runs()
        assert [run.status for run in runs] == [DagsterRunStatus.SUCCESS] * len(demo_module.plan("2020-07-20"))
        checks = instance.event_log_storage.get_asset_check_summary_records
        assert checks


def test_registry_is_whole(sql: duckdb.DuckDBPyConnection) -> None:
    counts = {
        t: one(sql, f"select count(*) from {t}")[0] for t in ("crates", "versions", "dependencies", "yanks", "texts")
    }
    assert counts == {"crates": 43_451, "versions": 259_105, "dependencies": 1_532_576, "yanks": 9_378, "texts": 155}
    rejected = sql.execute("select table_name, count(*) from quarantine group by all").fetchall()
    assert rejected == [("dependencies", 49)]


def test_catalog_holds_every_table_with_its_words(sql: duckdb.DuckDBPyConnection) -> None:
    views = dict(sql.execute("select view_name, comment from duckdb_views() where not internal").fetchall())
    assert views == {name: table.grain for name, table in MADE.items()}
    for name, table in MADE.items():
        columns = sql.execute(
            "select column_name, comment from duckdb_columns() where table_name = ? order by column_index", [name]
        ).fetchall()
        assert columns == [(c.name, c.text) for c in table.columns], name


def test_features_know_only_their_past(sql: duckdb.DuckDBPyConnection) -> None:
    dates = [str(d) for (d,) in sql.execute("select distinct as_of from features order by all").fetchall()]
    assert dates == list(demo_module.AS_OF)
    growing = [n for (n,) in sql.execute("select count(*) from features group by as_of order by as_of").fetchall()]
    assert growing == sorted(growing)
    assert growing[-1] == 43_443
    # net2 was called unmaintained on 2020-05-01, net2's advisory being committed on 2020-05-05
    known_at = one(sql, "select known_at from advisories where package = 'net2' and informational = 'unmaintained'")[0]
    told = sql.execute("select as_of, is_unmaintained from features where crate = 'net2' order by as_of").fetchall()
    assert told
    assert all(flag == (known_at.date() < as_of) for as_of, flag in told)


def test_texts_are_read_and_who_wrote_what_is_told(demo: Demo, sql: duckdb.DuckDBPyConnection) -> None:
    counts = sql.execute("select method, model, count(summary), count(*) from enrichments group by all").fetchall()
    assert counts == [("extractive", "none", 155, 155)]
    query = "select len(spans) from enrichments where summary is null or len(spans) = 0"
    assert sql.execute(query).fetchall() == []
    assert "155 of the text's own best sentence" in demo[1]
    assert "make model" in demo[1]


def test_labels_are_censored_until_their_horizon_has_passed(sql: duckdb.DuckDBPyConnection) -> None:
    known = sql.execute(
        "select target, horizon_days, as_of::varchar from labels group by all having count(label) > 0"
    ).fetchall()
    assert set(known) == {
        *(("maintenance", 43, day) for day in demo_module.AS_OF[1:4]),
        *((target, *told) for target in ADOPTED for told in ((136, "2019-11-11"), (116, "2020-03-26"))),
        # advisories are known until long after the snapshot
        *(("security", 487, day) for day in demo_module.AS_OF),
        *(("dependency_health", days, day) for days in (136, 252, 365) for day in demo_module.AS_OF),
    }
    query = (
        "select max(known_at) filter (target in ('maintenance', 'popularity', 'quality')), max(known_at) from labels"
    )
    of_registry, of_all = one(sql, f"{query} where label is not null")
    assert of_registry <= datetime(2020, 7, 20, 4, 14, 39)
    assert of_all <= datetime(2021, 11, 30, 23, 59, 59)


def test_model_beats_base_rate_and_every_formula(sql: duckdb.DuckDBPyConnection) -> None:
    formulas = [name for name, baseline in BASELINES.items() if baseline not in SIGNALS]
    gains = sql.execute(
        "select target, method, metric, value from backtests where slice = 'unseen_families' and method in ? "
        "and metric in ('roc_auc_gain', 'average_precision_gain')",
        [["base_rate", *formulas]],
    ).fetchall()
    assert len(gains) == len(TARGET_NAMES) * 2 * (1 + len(formulas))
    assert [gain for gain in gains if gain[-1] <= 0] == []
    assert one(
        sql, "select min(value) > 0 from backtests where method = 'model' and metric = 'brier_skill' and slice = 'all'"
    ) == (True,)


def test_predictions_have_ranges_and_evidence(sql: duckdb.DuckDBPyConnection) -> None:
    in_order = "worst <= probability and probability <= best"
    turned = "worst >= probability and probability >= best"
    assert one(sql, f"select count(*) from predictions where not if(is_good, {in_order}, {turned})") == (0,)
    assert one(sql, "select min(coverage) > 0.5, max(coverage) <= 1 from predictions") == (True, True)
    assert one(sql, "select min(len(evidence)) > 0, max(len(evidence)) from predictions") == (True, 6)
    assert one(sql, "select count(distinct as_of), min(as_of)::varchar from predictions") == (1, "2020-07-20")
    assert one(sql, "select count(distinct target), count(*) from predictions") == (5, 5 * 43_443)


def test_scores_are_chances_that_things_go_well(sql: duckdb.DuckDBPyConnection) -> None:
    assert one(sql, "select count(*) from scores") == (43_443,)
    for score in TARGET_NAMES:
        named = f"({score} is null) = list_contains(unknown_scores, '{score}')"
        in_order = f"{score} <= {score}_probability and {score}_probability <= {score}_best"
        assert one(sql, f"select min({named}), min({in_order}), avg({score}) > 0 from scores") == (True,) * 3, score
    name, findings = one(sql, "select name, findings from scores where crate = 'rust_crypto'")
    assert name == "rust-crypto"
    assert "an advisory calls it unmaintained" in findings
    # most crates never get an advisory
    assert one(sql, "select median(security) > 0.99 from scores") == (True,)


def test_culprits_name_the_crate_that_must_act(sql: duckdb.DuckDBPyConnection) -> None:
    query = "select fixable_by, actor, remedy from culprits where crate = 'actix_web' and culprit = 'trust-dns-proto'"
    fixable_by, actor, remedy = one(sql, query)
    assert (fixable_by, actor) == ("you", "actix-web")
    assert remedy.startswith("upgrade actix-http to ")


def ask(shell: str, catalog: Path, query: str, *options: str) -> list[str]:
    """The lines that `duckdb catalog.duckdb "…"` prints. Fails on any error, a lock's too."""
    command = [shell, "-noheader", "-list", *options, str(catalog), query or "select 1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_sql_while_a_run_writes(tmp_path: Path, small_registry: Path) -> None:
    """Readers in a loop, as a user opens it and read-only, from before the first table to after the last."""
    settings = replace(Settings.from_env(), data=tmp_path / "data", registry=small_registry)
    environment = {**os.environ, "CRATES_DATA": str(settings.data), "CRATES_REGISTRY": str(small_registry)}
    run = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "demo", "--again"],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    shell = shutil.which("duckdb", path=str(Path(sys.executable).parent))
    assert shell
    counts: list[int] = []
    names = "select view_name from duckdb_views() where not internal"
    while run.poll() is None:
        if settings.catalog.exists():
            views = ask(shell, settings.catalog, names)
            ask(shell, settings.catalog, "; ".join(f"select count(*) from {view}" for view in views), "-readonly")
            counts.append(len(views))
        time.sleep(0.05)
    assert run.returncode == 0, run.stdout.read() if run.stdout else ""
    assert len(counts) > 20
    assert counts == sorted(counts)
    assert counts[-1] == len(MADE)
