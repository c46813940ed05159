"""The cache: memory, disk and Redis as one. docs/cache.md documents its promises."""

from resources.cache.cache import AsyncCache, Cache
from resources.cache.opening import CacheSettings, close_cache, close_caches, open_cache
from resources.cache.options import FactoryResult

__all__ = ["AsyncCache", "Cache", "CacheSettings", "FactoryResult", "close_cache", "close_caches", "open_cache"]
