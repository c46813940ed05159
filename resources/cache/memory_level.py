"""The memory level: what was used last, within a size in bytes, and the hit that costs under two microseconds."""

import datetime
import time
from functools import cache
from typing import Any

import cachebox
import msgspec.inspect
import pyarrow as pa

from resources.cache.envelope import Payload, value_of
from resources.cache.tags import Versions

ENTRY_OVERHEAD = 400  # bytes of the objects around a value
_PLAIN = (str, bytes, int, float, bool, type(None), datetime.date, pa.Table)
_PLAIN_TYPES = (
    msgspec.inspect.StrType,
    msgspec.inspect.BytesType,
    msgspec.inspect.IntType,
    msgspec.inspect.FloatType,
    msgspec.inspect.BoolType,
    msgspec.inspect.NoneType,
    msgspec.inspect.DateType,
    msgspec.inspect.DateTimeType,
)


class Entry:
    """A value in this process. Times by the monotonic clock: fresh until `fresh_until`, there until `dead_at`; in
    memory it is believed until `checked_until`, then the other levels are asked."""

    __slots__ = (
        *("checked_until", "dead_at", "fresh_until", "is_old", "judged_at", "kind", "made_at", "payload", "size"),
        *("value", "versions"),
    )

    def __init__(self, kind: Any, payload: Payload, value: Any, life: tuple[float, float, float], versions: Versions):
        """`life`: seconds since it was made, seconds it is fresh and seconds it is there, both counted from then."""
        age, soft, hard = life
        self.made_at = time.monotonic() - age
        self.fresh_until = self.checked_until = self.made_at + soft
        self.dead_at = self.made_at + hard
        self.kind, self.payload, self.versions = kind, payload, versions
        self.is_old = False  # given for a while since its factory failed: not to be refreshed sooner
        self.judged_at = -1  # what TagView.moves was when the versions were last found to hold
        # what a caller could change is read from its bytes for each caller
        self.value = value if isinstance(value, _PLAIN) or _is_immutable(kind) else None
        self.size = payload.bytes + (self.value is not None) * (payload.unpacked or payload.bytes) + ENTRY_OVERHEAD

    def read(self) -> Any:
        return self.value if self.value is not None else value_of(self.payload, self.kind)

    def is_nearly_over(self, eager: float | None) -> bool:
        """Whether the share `eager` of the time in which it is fresh has passed."""
        if eager is None or self.is_old:
            return False
        return time.monotonic() >= self.made_at + eager * (self.fresh_until - self.made_at)


class MemoryLevel:
    """Entries by key, at most `limit` bytes; the least recently used go first."""

    def __init__(self, limit: int) -> None:
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


@cache
def _is_immutable(kind: Any) -> bool:
    """Whether nobody who is given a value of this type can change it."""
    return kind is not pa.Table and _all_immutable(msgspec.inspect.type_info(kind), ())


def _all_immutable(of: msgspec.inspect.Type, within: tuple[type, ...]) -> bool:
    match of:
        case msgspec.inspect.VarTupleType(item_type=item):
            return _all_immutable(item, within)
        case msgspec.inspect.TupleType(item_types=parts) | msgspec.inspect.UnionType(types=parts):
            return all(_all_immutable(part, within) for part in parts)
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            if cls in within or not cls.__struct_config__.frozen:
                return False
            return all(_all_immutable(field.type, (*within, cls)) for field in fields)
    return isinstance(of, _PLAIN_TYPES)
