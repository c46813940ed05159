"""One run of the whole pipeline on a closed part of the registry; marked slow, on all of it."""

from collections.abc import Iterator
from datetime import datetime

import duckdb
import pytest
from dagster import AssetCheckKey, AssetKey, DagsterRunStatus

from assets.schemas import TABLES
from assets.schemas.predictions import TARGET_NAMES
from cli import demo as demo_module
from ml.baselines import BASELINES
from ml.baselines.naive import SIGNALS
from pipeline_defs.instance import open_instance
from resources.warehouse import contracts
from testing.demo_run import Demo

# the bundled registry is of the past: nothing happens in it, no snapshot is kept; walk_forward is `make backtest`'s
NOT_MADE = ("events", "fresh_features", "fresh_predictions", "retained_snapshots", "walk_forward")
ADOPTED = ("popularity", "quality")  # targets that tell whether others build on a crate
MADE = {name: table for name, table in TABLES.items() if name not in NOT_MADE}


@pytest.fixture
def sql(demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo.settings.catalog), read_only=True) as con:
        yield con


@pytest.fixture
def whole_sql(whole_demo: Demo) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables of the whole bundled registry."""
    with duckdb.connect(str(whole_demo.settings.catalog), read_only=True) as con:
        yield con


def one(con: duckdb.DuckDBPyConnection, query: str) -> tuple:
    return con.execute(query).fetchall()[0]


def test_answer_is_printed(demo: Demo) -> None:
    settings, printed = demo
    for part in ("most need attention (as of 2020-07-20)", "term 0.6.1", "It is unmaintained (RUSTSEC-2018-0015)"):
        assert part in printed, part
    for part in ("Maintenance", "Popularity", "Security risk", "Dependency risk", "Quality"):
        line = next(line for line in printed.splitlines() if line.startswith(f"{part}  "))
        assert "(at random " in line
    for command in ("crates show term", "crates ui", "crates sql", "crates backtest", str(settings.data)):
        assert command in printed
    for line in ("build on it, from ", "- Maintenance: "):
        assert printed.count(line) == 10, line


def test_run_history_is_kept(demo: Demo) -> None:
    with open_instance(demo[0]) as instance:
        runs = instance.get_runs()
        assert [run.status for run in runs] == [DagsterRunStatus.SUCCESS] * len(demo_module.plan("2020-07-20"))
        keys = [AssetCheckKey(AssetKey("features"), name) for name in contracts.names(TABLES["features"])]
        checks = instance.event_log_storage.get_asset_check_summary_records(keys)
        executions = [checks[key].last_check_execution_record for key in keys]
        assert [found and found.status.value for found in executions] == ["SUCCEEDED"] * len(keys)


def test_registry_is_closed(sql: duckdb.DuckDBPyConnection) -> None:
    """Only the rows that the whole registry lacks a crate for are rejected."""
    counts = {t: one(sql, f"select count(*) from {t}")[0] for t in ("crates", "versions", "advisories", "texts")}
    assert counts == {"crates": 4_221, "versions": 59_965, "advisories": 178, "texts": 155}
    rejected = sql.execute("select table_name, count(*) from quarantine group by all").fetchall()
    assert rejected == [("dependencies", 30)]


@pytest.mark.slow
def test_whole_registry_is_loaded(whole_sql: duckdb.DuckDBPyConnection) -> None:
    counts = {
        t: one(whole_sql, f"select count(*) from {t}")[0]
        for t in ("crates", "versions", "dependencies", "yanks", "texts")
    }
    assert counts == {"crates": 43_451, "versions": 259_105, "dependencies": 1_532_576, "yanks": 9_378, "texts": 155}
    rejected = whole_sql.execute("select table_name, count(*) from quarantine group by all").fetchall()
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
    assert growing[-1] == 4_221
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
    printed = " ".join(demo.output.split())
    assert "155 of the text's own best sentence" in printed
    assert "`crates model fetch`" in printed


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


def test_model_beats_base_rate(sql: duckdb.DuckDBPyConnection) -> None:
    gains = sql.execute(
        "select target, metric, value from backtests where slice = 'unseen_families' and method = 'base_rate' "
        "and metric in ('roc_auc_gain', 'average_precision_gain')"
    ).fetchall()
    assert len(gains) == len(TARGET_NAMES) * 2
    assert [gain for gain in gains if gain[-1] <= 0] == []


@pytest.mark.slow
def test_model_beats_base_rate_and_every_formula_on_the_whole_registry(whole_sql: duckdb.DuckDBPyConnection) -> None:
    formulas = [name for name, baseline in BASELINES.items() if baseline not in SIGNALS]
    gains = whole_sql.execute(
        "select target, method, metric, value from backtests where slice = 'unseen_families' and method in ? "
        "and metric in ('roc_auc_gain', 'average_precision_gain')",
        [["base_rate", *formulas]],
    ).fetchall()
    assert len(gains) == len(TARGET_NAMES) * 2 * (1 + len(formulas))
    assert [gain for gain in gains if gain[-1] <= 0] == []
    assert one(
        whole_sql,
        "select min(value) > 0 from backtests where method = 'model' and metric = 'brier_skill' and slice = 'all'",
    ) == (True,)


def test_predictions_have_ranges_and_evidence(sql: duckdb.DuckDBPyConnection) -> None:
    in_order = "worst <= probability and probability <= best"
    turned = "worst >= probability and probability >= best"
    assert one(sql, f"select count(*) from predictions where not if(is_good, {in_order}, {turned})") == (0,)
    assert one(sql, "select min(coverage) > 0.5, max(coverage) <= 1 from predictions") == (True, True)
    assert one(sql, "select min(len(evidence)) > 0, max(len(evidence)) from predictions") == (True, 6)
    assert one(sql, "select count(distinct as_of), min(as_of)::varchar from predictions") == (1, "2020-07-20")
    assert one(sql, "select count(distinct target), count(*) from predictions") == (5, 5 * 4_221)


def test_scores_are_chances_that_things_go_well(sql: duckdb.DuckDBPyConnection) -> None:
    assert one(sql, "select count(*) from scores") == (4_221,)
    for score in TARGET_NAMES:
        named = f"({score} is null) = list_contains(unknown_scores, '{score}')"
        in_order = f"{score} <= {score}_probability and {score}_probability <= {score}_best"
        assert one(sql, f"select min({named}), min({in_order}), avg({score}) > 0 from scores") == (True,) * 3, score
    name, findings = one(sql, "select name, findings from scores where crate = 'rust_crypto'")
    assert name == "rust-crypto"
    assert "an advisory reports it as unmaintained" in findings
    # most crates never get an advisory
    assert one(sql, "select median(security) > 0.99 from scores") == (True,)


def test_culprits_name_the_crate_that_must_act(sql: duckdb.DuckDBPyConnection) -> None:
    query = "select fixable_by, actor, remedy from culprits where crate = 'actix_web' and culprit = 'trust-dns-proto'"
    fixable_by, actor, remedy = one(sql, query)
    assert (fixable_by, actor) == ("you", "actix-web")
    assert remedy.startswith("upgrade actix-http to ")


def test_views_can_be_queried_while_the_run_writes(demo: Demo) -> None:
    """From before the first table to after the last; no query ever met a lock, and no view ever went away."""
    counts = demo.view_counts
    assert len(counts) > 10
    assert counts == sorted(counts)
    assert 0 < counts[0] < counts[-1] == len(MADE)
