"""The cache as a Dagster resource."""

import logging
from pathlib import Path
from typing import Any

from dagster import ConfigurableResource, EnvVar
from prometheus_client import CollectorRegistry, write_to_textfile

from resources.cache.facade import Cache
from resources.cache.metrics import CacheCollector
from resources.cache.opening import CacheSettings, open_cache


class CacheResource(ConfigurableResource):
    """The cache of this installation: disk level and key in `folder`, sizes in bytes, the rest as `CacheSettings` says.

    After each materialisation the counts of its process lie in `folder`/metrics.prom, in the text format of Prometheus
    (for node_exporter's textfile collector).
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

    def tell(self) -> None:
        """Writes the counts of this process, and which keys it used last."""
        cache, registry = self.open(), CollectorRegistry()
        registry.register(CacheCollector(cache))
        try:
            write_to_textfile(str(Path(self.folder) / "metrics.prom"), registry)
        except OSError as error:
            logging.getLogger("crates.cache").warning("%s: metrics.prom cannot be written: %s", self.folder, error)
        cache.note_hottest()


def _plain(text: str) -> str:
    """The value of a variable: outside a run Dagster has not put it in its place yet."""
    return text.get_value() or "" if isinstance(text, EnvVar) else text
