"""Caches without a server, and a clock that tests advance."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from resources.cache import async_cache, breaker, entry, levels, local_levels
from testing.cache_server import cache_settings, opened


class Clock:
    """The cache's clocks, ahead of the machine's by `offset` seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offset = 0.0
        monotonic, time_ns = time.monotonic, time.time_ns
        for module in (async_cache, entry, levels, local_levels):
            monkeypatch.setattr(module, "monotonic", lambda: monotonic() + self.offset)
        clock = SimpleNamespace(monotonic=lambda: monotonic() + self.offset)
        monkeypatch.setattr(breaker, "time", clock)
        wall = SimpleNamespace(time_ns=lambda: time_ns() + round(self.offset * 1e9))
        monkeypatch.setattr(local_levels, "time", wall)

    def advance(self, seconds: float) -> None:
        self.offset += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(params=["memory and disk", "memory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    disk_bytes = 16 << 20 if "disk" in request.param else 0
    with opened(cache_settings(tmp_path / "cache", disk_bytes=disk_bytes)) as cache:
        yield cache


@pytest.fixture
def disk_cache(tmp_path: Path) -> Iterator[Any]:
    """With memory and disk."""
    with opened(cache_settings(tmp_path / "cache")) as cache:
        yield cache
