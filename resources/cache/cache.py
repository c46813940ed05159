"""The cache for threads: the policy of `AsyncCache`, with blocking calls."""

from collections.abc import Callable, Iterable
from typing import Any

from resources.cache.async_cache import AsyncCache, decorator
from resources.cache.drivers import AsyncDriver, drive
from resources.cache.levels import Levels
from resources.cache.options import Namespace, Options


class Cache:
    """The cache of one namespace. `AsyncCache` documents the methods; here factories are plain functions."""

    def __init__(self, core: AsyncCache) -> None:
        self.core = core
        self._hit, self._prefix = core.levels.local.hit, core.prefix
        self.stats = core.stats

    def namespace(
        self, name: str, *, version: int = 1, kind: Any = Any, immutable: bool = False, **options: Any
    ) -> "Cache":
        """Returns the cache of another namespace on the same levels. See Namespace and Options. Raises ValueError."""
        core, namespace = self.core, Namespace(name, version, kind, immutable)
        return Cache(AsyncCache(core.levels, core.driver, core.flights, namespace, Options(**options)))

    def asynchronous(self) -> AsyncCache:
        """Returns the cache of the same namespace for the running event loop."""
        core, redis = self.core, self.core.levels.redis
        if redis is not None:
            from resources.cache.redis_client import AsyncClient

            redis = redis.with_client(AsyncClient(redis.url, redis.timeout_s))
        levels = Levels(core.levels.local, redis)
        return AsyncCache(levels, AsyncDriver(), core.flights, core.namespace, core.options)

    def get(self, key: str, default: Any = None) -> Any:
        entry = self._hit(self._prefix + key)
        return entry.read() if entry is not None else drive(self.core.get(key, default))

    def set(self, key: str, value: Any, *, tags: Iterable[str] = (), **options: Any) -> None:
        drive(self.core.set(key, value, tags=tags, **options))

    def delete(self, key: str) -> None:
        drive(self.core.delete(key))

    def get_or_set(self, key: str, factory: Callable[[], Any], *, tags: Iterable[str] = (), **options: Any) -> Any:
        return drive(self.core.get_or_set(key, factory, tags=tags, **options))

    def invalidate_tags(self, *tags: str) -> None:
        drive(self.core.invalidate_tags(*tags))

    def clear(self) -> None:
        drive(self.core.clear())

    def warm(self, keys: Iterable[str]) -> int:
        return drive(self.core.warm(keys))

    def cached(self, key: Callable[..., str], *, tags: Iterable[str] = (), **options: Any) -> Any:
        return decorator(self, key, tags, options)
