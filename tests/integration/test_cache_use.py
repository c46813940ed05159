"""Where the cache saves work: what was kept of a table goes when it is made anew, and nothing else changes."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from dagster import EnvVar
from prometheus_client.parser import text_string_to_metric_families

from pipeline_defs.build import build_cache
from resources.cache import Cache, CacheSettings, close_cache, open_cache
from resources.common.settings import PROJECT, Settings
from resources.language_model.text_embedding import vectors
from resources.warehouse.table_store import TableStore, table_tag
from serving.crate_lookup import look_up
from testing.table_builds import build, build_registry, bundled_resources

Demo = tuple[Settings, str]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return open_cache(CacheSettings(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["serde", "SERDE", "trust-dns-resolver", "Trust_DNS-resolver"])
def test_lookup_says_what_the_tables_say(demo: Demo, cache: Cache, name: str) -> None:
    settings, _ = demo
    with duckdb.connect(str(settings.catalog), read_only=True) as con:
        spelled = name.lower().replace("-", "_")
        wanted = con.sql("from scores where crate = $crate", params={"crate": spelled}).to_arrow_table().to_pylist()[0]
        culprits = con.execute("select count(*) from culprits where crate = $1", [spelled]).fetchall()[0][0]
    store = TableStore(root=str(settings.warehouse))
    for _ in range(2):
        found = look_up(store, cache, name)
        assert found is not None
        assert found["scores"].keys() == wanted.keys()
        assert found["scores"]["maintenance"] == pytest.approx(wanted["maintenance"], rel=1e-12)
        assert found["scores"]["evidence"] == wanted["evidence"]
        assert found["scores"]["as_of"] == wanted["as_of"].isoformat()
        assert len(found["culprits"]) == culprits
    stats = cache.stats()
    assert (stats["factory"]["hits"], stats["memory"]["hits"]) == (1, 1)


@pytest.mark.parametrize("name", ["no-such-crate", "'; drop view scores; --", "x" * 500, "", "serde\0", "\udcff"])
def test_what_is_no_crate_has_no_scores(demo: Demo, cache: Cache, name: str) -> None:
    assert look_up(TableStore(root=str(demo[0].warehouse)), cache, name) is None


def test_a_table_made_anew_invalidates_what_was_kept_of_it_alone(tmp_path: Path, small_registry: Path) -> None:
    run = bundled_resources(tmp_path / "data", small_registry)
    kept = run.cache.namespace("test", kind=int)
    kept.set("of snapshots", 1, tags=[table_tag("snapshots")])
    kept.set("of labels", 2, tags=[table_tag("labels")])
    build("snapshots", "2020-07-20", run)
    assert (kept.get("of snapshots"), kept.get("of labels")) == (None, 2)


def test_vectors_are_computed_once_and_are_the_same(tmp_path: Path) -> None:
    settings, texts = (
        CacheSettings(tmp_path / "cache"),
        ["parses command lines", "a TLS library", "parses command lines"],
    )
    first = vectors(texts, open_cache(settings))
    assert open_cache(settings).stats()["factory"]["hits"] == 2
    close_cache(settings)
    again = vectors(texts, open_cache(settings))
    assert open_cache(settings).stats()["factory"]["hits"] == 0
    assert np.array_equal(first, vectors(texts)) and np.array_equal(again, first)


def test_a_run_tells_what_the_cache_did(tmp_path: Path, small_registry: Path) -> None:
    run = bundled_resources(tmp_path / "data", small_registry)
    build_registry(run)
    built = build("texts", "2020-07-20", run)
    assert "cache" not in built.context.notes
    table = build("enrichments", "0", run).context.notes["cache"]
    assert "| memory |" in table and "| factory |" in table
    told = (tmp_path / "data" / "cache" / "metrics.prom").read_text()
    samples = {
        (s.name, s.labels.get("level")): s.value for f in text_string_to_metric_families(told) for s in f.samples
    }
    stats = run.cache.open().stats()
    assert samples["crates_cache_hits_total", "factory"] == stats["factory"]["hits"] > 0
    assert samples["crates_cache_seconds_count", "factory"] == stats["factory"]["hits"]
    assert samples["crates_cache_bytes", "memory"] == stats["memory"]["bytes"] > 0


def test_secrets_are_not_in_the_configuration_that_the_ui_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@127.0.0.1:1/0")
    monkeypatch.setenv("CRATES_CACHE_KEY", "a key of enough bytes")
    resource = build_cache(replace(Settings.from_env(), data=tmp_path))
    assert isinstance(resource.redis_url, EnvVar) and isinstance(resource.key, EnvVar)
    assert "hunter2" not in str(resource) and "enough" not in str(resource)
    kept = resource.namespace("test", kind=int)
    kept.set("key", 1)
    assert kept.get("key") == 1
    assert not (tmp_path / "cache" / "key").exists()


def test_one_crate_on_the_command_line(demo: Demo, tmp_path: Path) -> None:
    environment = {**os.environ, "CRATES_DATA": str(demo[0].data)}

    def ask(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.crate", name]
        return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)

    found, missing = ask("rust-crypto"), ask("no-such-crate")
    assert found.returncode == 0 and "unmaintained" in found.stdout, found.stdout + found.stderr
    assert missing.returncode == 1 and "check the name" in missing.stdout
