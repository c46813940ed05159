"""Real servers and other processes for the tests of the cache."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testing.cache_server import Server, binaries, cache_settings, open_peer, opened


@pytest.fixture(scope="module", params=binaries(), ids=lambda path: Path(path).name)
def any_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"), request.param).start()
    yield started
    started.kill()


@pytest.fixture
def server(any_server: Server) -> Iterator[Server]:
    """An empty server, for each installed binary."""
    yield any_server.reset()
    any_server.resume()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("valkey")).start()
    yield started
    started.kill()


@pytest.fixture(params=["memory, disk and Redis", "memory and disk", "memory and Redis", "memory"])
def cache(request: pytest.FixtureRequest, valkey: Server, tmp_path: Path) -> Iterator[Any]:
    """A cache of each subset of the levels."""
    url = valkey.reset().url if "Redis" in request.param else ""
    disk_bytes = 16 << 20 if "disk" in request.param else 0
    with opened(cache_settings(tmp_path / "cache", url, disk_bytes=disk_bytes)) as cache:
        yield cache


@pytest.fixture(params=["one disk", "one disk, with Redis", "two disks"])
def pair(request: pytest.FixtureRequest, valkey: Server, tmp_path: Path) -> Iterator[Any]:
    """A cache, a process that shares its disk, Redis or both, and the longest delay of changes in seconds."""
    url = "" if request.param == "one disk" else valkey.reset().url
    other = tmp_path / ("other" if request.param == "two disks" else "cache")
    with opened(cache_settings(tmp_path / "cache", url)) as cache, open_peer(cache_settings(other, url)) as peer:
        yield cache, peer, 10 if request.param == "two disks" else 0
