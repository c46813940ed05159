"""The memory level: what was used last, within a size in bytes, and the hit that costs under two microseconds."""

import datetime
import time
from typing import Any

import cachebox
import msgspec
import pyarrow as pa

from resources.cache.envelope import Payload, value_of
from resources.cache.tags import Versions

ENTRY_OVERHEAD = 400  # bytes of the objects around a value
_PLAIN = (str, bytes, int, float, bool, type(None), datetime.date, datetime.datetime, pa.Table)


class Entry:
    """A value in this process. Times by the monotonic clock: fresh until `fresh_until`, there until `dead_at`; in
    memory it is believed until `checked_until`, then the other levels are asked."""

    __slots__ = ("checked_until", "dead_at", "fresh_until", "kind", "made_at", "payload", "size", "value", "versions")

    def __init__(self, kind: Any, payload: Payload, value: Any, life: tuple[float, float, float], versions: Versions):
        """`life`: seconds since it was made, seconds it is fresh and seconds it is there, both counted from then."""
        age, soft, hard = life
        self.made_at = time.monotonic() - age
        self.fresh_until = self.checked_until = self.made_at + soft
        self.dead_at = self.made_at + hard
        self.kind, self.payload, self.versions = kind, payload, versions
        # what a caller could change is read from its bytes for each caller
        self.value = value if _is_immutable(value) else None
        self.size = payload.bytes + (self.value is not None) * (payload.unpacked or payload.bytes) + ENTRY_OVERHEAD

    def read(self) -> Any:
        return self.value if self.value is not None else value_of(self.payload, self.kind)

    @property
    def soft(self) -> float:
        return self.fresh_until - self.made_at


class MemoryLevel:
    """Entries by key, at most `limit` bytes; the least recently used go first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.most_of_value = limit // 8
        self._entries: cachebox.LRUCache[str, Entry] = cachebox.LRUCache(limit, getsizeof=lambda _, entry: entry.size)
        self.get = self._entries.get
        self.clear = self._entries.clear

    def put(self, key: str, entry: Entry) -> int:
        """How many entries it evicted."""
        if entry.size > self.most_of_value:
            self.drop(key)
            return 0
        before = len(self._entries) + (key not in self._entries)
        self._entries[key] = entry
        return before - len(self._entries)

    def drop(self, key: str) -> None:
        self._entries.pop(key, None)

    def hottest(self, most: int) -> list[str]:
        """Keys, the last used first."""
        return [key for key, _ in zip(reversed(list(self._entries.keys())), range(most))]

    @property
    def bytes(self) -> int:
        return self._entries.current_size()

    @property
    def entries(self) -> int:
        return len(self._entries)


def _is_immutable(value: Any) -> bool:
    if isinstance(value, _PLAIN):
        return True
    if isinstance(value, tuple):
        return all(map(_is_immutable, value))
    if isinstance(value, msgspec.Struct):
        return value.__struct_config__.frozen and all(_is_immutable(getattr(value, f)) for f in value.__struct_fields__)
    return False
