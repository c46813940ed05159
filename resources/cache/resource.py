"""The cache as a Dagster resource."""

from pathlib import Path
from typing import Any

from dagster import ConfigurableResource, EnvVar, InitResourceContext
from prometheus_client import CollectorRegistry, write_to_textfile

from resources.cache.facade import Cache
from resources.cache.metrics import CacheCollector
from resources.cache.opening import CacheSettings, open_cache


class CacheResource(ConfigurableResource):
    """The cache of this installation: disk level and key in `folder`, sizes in bytes, the rest as `CacheSettings` says.

    After each run the counts of its process lie in `folder`/metrics.prom, in the text format of Prometheus (for
    node_exporter's textfile collector).
    """

    folder: str
    memory_bytes: int
    disk_bytes: int
    redis_url: str
    key: str
    timeout_ms: int

    def namespace(self, name: str, *, version: int = 1, kind: Any = Any, **options: Any) -> Cache:
        """Raises BadInput and CannotWrite if the cache cannot be opened."""
        return self.open().namespace(name, version=version, kind=kind, **options)

    def open(self) -> Cache:
        url, key, timeout_s = _plain(self.redis_url), _plain(self.key), self.timeout_ms / 1000
        return open_cache(CacheSettings(Path(self.folder), self.memory_bytes, self.disk_bytes, url, key, timeout_s))

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        self.open().note_hottest()
        self.write_metrics()

    def write_metrics(self) -> None:
        cache, registry = self.open(), CollectorRegistry()
        registry.register(CacheCollector(cache))
        write_to_textfile(str(Path(self.folder) / "metrics.prom"), registry)


def _plain(text: str) -> str:
    """The value of a variable: outside a run Dagster has not put it in its place yet."""
    return text.get_value() or "" if isinstance(text, EnvVar) else text
