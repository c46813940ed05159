"""The memory level: an LRU cache with a limit in bytes."""

import cachebox

from resources.cache.entry import Entry


class MemoryLevel:
    """Holds entries by key, at most `limit` bytes; evicts the least recently used first."""

    def __init__(self, limit: int) -> None:
        self.max_value = limit // 8
        self._entries: cachebox.LRUCache[str, Entry] = cachebox.LRUCache(limit, getsizeof=lambda _, entry: entry.size)
        self.get = self._entries.get
        self.clear = self._entries.clear

    def put(self, key: str, entry: Entry) -> int:
        """Stores an entry; returns the number of evicted entries."""
        if entry.size > self.max_value:
            self.delete(key)
            return 0
        before = len(self._entries) + (key not in self._entries)
        self._entries[key] = entry
        return before - len(self._entries)

    def delete(self, key: str) -> None:
        self._entries.pop(key, None)

    def sizes(self) -> dict[str, int]:
        return {"bytes": self._entries.current_size(), "entries": len(self._entries)}
