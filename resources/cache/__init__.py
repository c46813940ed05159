"""The cache: memory, disk and Redis as one. docs/cache.md says what it promises."""

from resources.cache.facade import AsyncCache, Cache
from resources.cache.opening import CacheSettings, close_cache, close_caches, open_cache
from resources.cache.policy import Made

__all__ = ["AsyncCache", "Cache", "CacheSettings", "Made", "close_cache", "close_caches", "open_cache"]
