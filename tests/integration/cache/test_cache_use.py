"""Uses of the cache: look-ups of crates, vectors, invalidation by tables, and reports of runs."""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from resources.cache import Cache, CacheSettings, close_cache, open_cache
from resources.common.settings import Settings
from resources.language_model.text_embedding import embed_texts
from resources.warehouse.table_store import TableStore, table_tag
from serving.crate_lookup import TABLES, look_up, most_depended_on, read_crate, warm
from testing.demo_run import Demo
from testing.table_builds import build, build_registry, bundled_resources


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return open_cache(CacheSettings(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["serde", "SERDE", "trust-dns-resolver", "Trust_DNS-resolver"])
def test_a_look_up_returns_the_rows_of_the_tables_and_is_cached(demo: Demo, cache: Cache, name: str) -> None:
    store = TableStore(root=str(demo.settings.warehouse))
    found = [look_up(store, cache, name) for _ in range(2)]
    assert found == [read_crate(store, name)] * 2
    stats = cache.stats()
    assert (stats["factory"]["hits"], stats["memory"]["hits"]) == (1, 1)


@pytest.mark.parametrize("name", ["no-such-crate", "'; drop view scores; --", "x" * 500, "", "serde\0", "\udcff"])
def test_an_unknown_or_invalid_name_has_no_scores(demo: Demo, cache: Cache, name: str) -> None:
    assert look_up(TableStore(root=str(demo.settings.warehouse)), cache, name) is None


@pytest.mark.parametrize("table", ["scores", "culprits"])
def test_a_look_up_after_a_table_was_published_again_reads_it(
    demo: Demo, cache: Cache, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert table in TABLES
    store = TableStore(root=str(demo.settings.warehouse))
    look_up(store, cache, "serde")
    find = TableStore.find

    def published_again(self: TableStore, name: str, key: str) -> object:
        found = find(self, name, key)
        return replace(found, sha256="another") if found is not None and name == table else found

    monkeypatch.setattr(TableStore, "find", published_again)
    look_up(store, cache, "serde")
    assert cache.stats()["factory"]["hits"] == 2


def test_warming_caches_look_ups_of_the_crates_with_most_dependents(demo: Demo, cache: Cache) -> None:
    store = TableStore(root=str(demo.settings.warehouse))
    names = most_depended_on(store, 3)
    with duckdb.connect(str(demo.settings.catalog), read_only=True) as con:
        (most,) = con.sql("select max(dependents) from scores").fetchall()[0]
    assert warm(store, cache, names) == 3
    made = cache.stats()["factory"]["hits"]
    found = [look_up(store, cache, name) for name in names]
    assert found[0] == read_crate(store, names[0]) and made == 3 == cache.stats()["factory"]["hits"]
    with duckdb.connect(str(demo.settings.catalog), read_only=True) as con:
        assert con.execute("select dependents from scores where name = $1", [names[0]]).fetchall() == [(most,)]


def test_a_published_table_invalidates_only_values_with_its_tag(tmp_path: Path, small_registry: Path) -> None:
    run = bundled_resources(tmp_path / "data", small_registry)
    cached = run.cache.open().namespace("test", kind=int)
    cached.set("of snapshots", 1, tags=[table_tag("snapshots")])
    cached.set("of labels", 2, tags=[table_tag("labels")])
    build("snapshots", "2020-07-20", run)
    assert (cached.get("of snapshots"), cached.get("of labels")) == (None, 2)


def test_vectors_are_computed_once_and_are_the_same(tmp_path: Path) -> None:
    settings = CacheSettings(tmp_path / "cache")
    texts = ["parses command lines", "a TLS library", "parses command lines"]
    first = embed_texts(texts, open_cache(settings))
    assert open_cache(settings).stats()["factory"]["hits"] == 2
    close_cache(settings)
    again = embed_texts(texts, open_cache(settings))
    assert open_cache(settings).stats()["factory"]["hits"] == 0
    assert np.array_equal(first, embed_texts(texts)) and np.array_equal(again, first)


def test_a_run_reports_the_counts_of_the_cache(tmp_path: Path, small_registry: Path) -> None:
    run = bundled_resources(tmp_path / "data", small_registry)
    build_registry(run)
    built = build("texts", "2020-07-20", run)
    assert "cache" not in built.context.notes
    table = build("enrichments", "0", run).context.notes["cache"]
    assert "| memory |" in table and "| factory |" in table
    metrics = (tmp_path / "data" / "cache" / "metrics.prom").read_text()
    samples = {
        (s.name, s.labels.get("level")): s.value for f in text_string_to_metric_families(metrics) for s in f.samples
    }
    stats = run.cache.open().stats()
    assert samples["crates_cache_hits_total", "factory"] == stats["factory"]["hits"] > 0
    assert samples["crates_cache_seconds_count", "factory"] == stats["factory"]["hits"]


def test_cache_settings_of_an_installation_show_no_secret(tmp_path: Path) -> None:
    key = "a key of enough bytes"
    changed = replace(Settings.from_env(), data=tmp_path, redis_url="redis://:hunter2@127.0.0.1:1/0", cache_key=key)
    settings = CacheSettings.of(changed)
    assert (settings.folder, settings.timeout_s) == (tmp_path / "cache", changed.redis_timeout_ms / 1000)
    assert "hunter2" not in str(settings) and "enough" not in str(settings)
    cached = settings.open().namespace("test", kind=int)
    cached.set("key", 1)
    assert cached.get("key") == 1
    assert not (tmp_path / "cache" / "key").exists()
