"""The disk level: an LMDB database of limited size that the processes of one machine share.

It stores the entries, their order, and without Redis the versions of tags. The oldest entry is evicted first; an entry
that was read meanwhile is number to the end once. Each change is one transaction, so a killed process leaves no partial
change.
"""

import struct
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import lmdb

from resources.cache.breaker import Breaker
from resources.cache.change_board import TAGS, UNUSABLE, ChangeBoard
from resources.cache.stats import LevelStats
from resources.cache.tags import next_version

MIN_BYTES = 1 << 20
MAX_READ_LATELY = 1_000_000
ERRORS = (lmdb.Error, OSError, ValueError)

_U64 = struct.Struct(">Q")
T = TypeVar("T")


class DiskLevel:
    """Stores bytes by key in `folder`, at most about `limit` bytes; not on NFS. Methods return None if LMDB fails."""

    def __init__(self, folder: Path, limit: int, stats: LevelStats) -> None:
        """Opens the database. Raises ERRORS."""
        self.limit, self._stats = max(limit, MIN_BYTES), stats
        self.max_value = self.limit // 8
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # eviction needs pages, too, so the map has twice the limit. writemap would raise SIGBUS on a full disk
        self._env = lmdb.open(
            str(folder), map_size=2 * self.limit, max_dbs=3, max_readers=512, writemap=False, sync=False, metasync=False
        )
        self._page = self._env.stat()["psize"]
        if (folder / "data.mdb").stat().st_size < self._page * (self._env.info()["last_pgno"] + 1):
            self._env.close()  # reading a mapped page beyond the end of the file raises SIGBUS
            raise lmdb.CorruptedError(f"{folder}/data.mdb is shorter than its pages")
        self._env.reader_check()
        self._entries, self._order, self._tags = map(self._env.open_db, (b"entries", b"order", b"tags"))
        self._read_lately: set[bytes] = set()
        self._breaker = Breaker(open_s=5.0, max_lost_s=0.2)
        self.board = ChangeBoard(folder / "board")
        self.close = self._env.close

    def get(self, key: str) -> bytes | None:
        name = key.encode()
        result = self._transaction(lambda txn: txn.get(name, db=self._entries))
        if result is None:
            return None
        self._read_lately.add(name)
        return bytes(result[_U64.size :])

    def has(self, key: str, sealed: bytes) -> bool | None:
        """Returns whether the entry has these bytes. The eviction order does not count this as a read."""
        return self._transaction(lambda txn: txn.get(key.encode(), b"", db=self._entries)[_U64.size :] == sealed)

    def put(self, key: str, sealed: bytes, may_still: Callable[[], bool]) -> bool | None:
        """Writes an entry if `may_still()` is true. It is called while no other process can write."""

        def put(txn: lmdb.Transaction) -> bool:
            if not may_still():
                return False
            self._remove(txn, key.encode())
            self._append(txn, key.encode(), sealed)
            self._evict(txn)
            return True

        return self._transaction(put, write=True) if len(sealed) <= self.max_value else None

    def delete(self, key: str) -> None:
        self._transaction(lambda txn: self._remove(txn, key.encode()), write=True, required=True)

    def tag_versions(self, tags: Iterable[str], *, bump: bool = False) -> dict[str, int] | None:
        """Returns the versions of tags. A tag without a version gets a new one; with `bump` every tag does."""

        def versions(txn: lmdb.Transaction) -> dict[str, int]:
            result = {}
            for tag in tags:
                stored = txn.get(tag.encode(), db=self._tags)
                result[tag] = before = _U64.unpack(stored)[0] if stored else 0
                if bump or not stored:
                    result[tag] = next_version(before)
                    txn.put(tag.encode(), _U64.pack(result[tag]), db=self._tags)
            return result

        return self._transaction(versions, write=True, required=bump)

    def sizes(self) -> dict[str, int]:
        read = self._transaction(lambda txn: {"bytes": self._bytes(txn), "entries": txn.stat(self._entries)["entries"]})
        return read or {}

    def _transaction(
        self, work: Callable[[lmdb.Transaction], T], *, write: bool = False, required: bool = False
    ) -> T | None:
        """Returns the result of `work`; None if LMDB fails or the breaker is open.

        `required`: without this change an outdated value could be served. If it fails, the level is unusable for all
        processes until it can be cleared.
        """
        if not required and not self._breaker.admits():
            return None
        started, numbers = time.monotonic(), self.board.numbers
        try:
            if numbers[UNUSABLE]:
                self._clear()
            with self._env.begin(write=write) as txn:
                result = work(txn)
        except ERRORS:
            numbers[UNUSABLE] |= required
            self._stats.errors += 1
            self._breaker.record(time.monotonic() - started, failed=True)
            return None
        self._breaker.record(0.0, failed=False)
        return result

    def _clear(self) -> None:
        with self._env.begin(write=True) as txn:
            for database in (self._entries, self._order, self._tags):
                txn.drop(database, delete=False)
        self.board.numbers[UNUSABLE] = 0
        self.board.change(TAGS)

    def _remove(self, txn: lmdb.Transaction, name: bytes) -> None:
        result = txn.pop(name, db=self._entries)
        if result is not None:
            txn.delete(result[: _U64.size], db=self._order)

    def _append(self, txn: lmdb.Transaction, name: bytes, sealed: bytes) -> None:
        with txn.cursor(db=self._order) as cursor:
            position = _U64.pack(_U64.unpack(cursor.key())[0] + 1 if cursor.last() else 0)
        txn.put(name, position + sealed, db=self._entries)
        txn.put(position, name, db=self._order)

    def _evict(self, txn: lmdb.Transaction) -> None:
        with txn.cursor(db=self._order) as oldest:
            while self._bytes(txn) > self.limit and oldest.first():
                name = bytes(oldest.value())
                spared = txn.get(name, db=self._entries) if name in self._read_lately else None
                self._read_lately.discard(name)
                self._remove(txn, name)
                if spared is not None:
                    self._append(txn, name, bytes(spared[_U64.size :]))
                else:
                    self._stats.evictions += 1
        if len(self._read_lately) > MAX_READ_LATELY:
            self._read_lately.clear()

    def _bytes(self, txn: lmdb.Transaction) -> int:
        """Returns the size of the pages of entries and their order."""
        pages = ("branch_pages", "leaf_pages", "overflow_pages")
        return self._page * sum(txn.stat(db)[kind] for db in (self._entries, self._order) for kind in pages)
