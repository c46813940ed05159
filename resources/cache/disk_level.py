"""The disk level: LMDB, shared by the processes of one machine, kept within a size in bytes.

Beside the entries it holds their order (the oldest go first; one that was read since gets a second turn), the
versions of tags, and a log of what changed, from which the other processes learn what to drop from their memory.
One transaction does each change whole, so a killed process leaves nothing torn and nothing that is never evicted.
"""

import fcntl
import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb
import msgspec

from resources.cache.shared_counter import SharedCounter
from resources.cache.tags import next_version

LOG_LENGTH = 20_000  # changes; who is further behind drops all of its memory
LEAST_BYTES = 1 << 20
ENTRY_OVERHEAD = 96  # bytes of the two trees for one entry
PAGE = 4096

_U64 = struct.Struct(">Q")
_BYTES, _ORDER, _CHANGES = b"bytes", b"order", b"changes"

# who changed what: a key, or a tag and its version
Change = tuple[bytes, str | None, str | None, int]
_read_change = msgspec.msgpack.Decoder(Change).decode
_write_change = msgspec.msgpack.Encoder().encode


class DiskLevel:
    """Bytes by key under `folder`, at most about `limit` bytes. Every method raises lmdb.Error or OSError."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.limit = max(limit, LEAST_BYTES)
        self.most_of_value = self.limit // 8
        self.writer = os.urandom(8)
        self.evictions = 0
        self.on_changes: Callable[[list[Change] | None], None] = lambda _: None
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # twice the limit: what evicts needs pages too. writemap would end the process on a full disk (SIGBUS)
        self._env = lmdb.open(
            str(folder), map_size=2 * self.limit, max_dbs=6, max_readers=512, writemap=False, sync=False, metasync=False
        )
        data = self._env.stat()["psize"] * (self._env.info()["last_pgno"] + 1)
        if (folder / "data.mdb").stat().st_size < data:  # to read what is mapped and not there ends the process
            self._env.close()
            raise lmdb.CorruptedError(f"{folder}/data.mdb was cut")
        self._env.reader_check()
        self._entries, self._order, self._tags, self._log, self._meta, self._pending = (
            self._env.open_db(name) for name in (b"entries", b"order", b"tags", b"log", b"meta", b"pending")
        )
        self._read_lately: set[bytes] = set()
        self.counter = SharedCounter(folder / "counter")
        self.changes_announced = self.counter.words  # the first word; read at each hit, so without a call
        self._leases = os.open(folder / "leases", os.O_RDWR | os.O_CREAT, 0o600)
        # the writer's lock: no other is at work, so what was announced and is not there was by one that was killed
        with self._env.begin(write=True) as txn:
            sequence = self._number(txn, _CHANGES)
            self.counter.announce(sequence)
            self.counter.pending = txn.stat(self._pending)["entries"]
            self.identity = (txn.get(b"identity", db=self._meta) or os.urandom(8).hex().encode()).decode()
            txn.put(b"identity", self.identity.encode(), db=self._meta)
        self.seen = sequence  # the changes up to here were told

    def get(self, key: str) -> bytes | None:
        name = key.encode()
        with self._env.begin(db=self._entries) as txn:
            found = txn.get(name)
        if found is None:
            return None
        self._read_lately.add(name)
        return found[_U64.size :]

    def put(self, key: str, entry: bytes, may_still: Callable[[], bool], is_new: bool) -> bool:
        """Writes an entry, unless `may_still` says no once all earlier changes of others were told to it. `is_new`:
        the others are told of it."""
        with self._changing() as (txn, log):
            self._read_changes(txn)
            if not may_still():
                return False
            self._remove(txn, key.encode())
            self._append(txn, key.encode(), entry)
            self._evict(txn)
            if is_new:
                log((self.writer, key, None, 0))
        return True

    def delete(self, key: str) -> None:
        with self._changing() as (txn, log):
            self._remove(txn, key.encode())
            log((self.writer, key, None, 0))

    def tag_versions(self, tags: Iterable[str]) -> dict[str, tuple[int, bool]]:
        """The version of each tag, and whether it had none before."""
        wanted = {tag: tag.encode() for tag in tags}
        with self._env.begin(db=self._tags) as txn:
            found = {tag: txn.get(name) for tag, name in wanted.items()}
        if all(found.values()):
            return {tag: (_U64.unpack(version)[0], False) for tag, version in found.items() if version}
        with self._env.begin(write=True, db=self._tags) as txn:
            return {tag: self._tag_or_new(txn, name) for tag, name in wanted.items()}

    def dropped_tags(self, versions: Iterable[tuple[str, int]]) -> bool:
        """Whether one of the tags was bumped on this disk to another version than the one given."""
        with self._env.begin(db=self._tags) as txn:
            found = ((txn.get(tag.encode()), version) for tag, version in versions)
            return any(bumped is not None and _U64.unpack(bumped)[0] != version for bumped, version in found)

    def bump(self, versions: dict[str, int], decided: bool) -> dict[str, int]:
        """Gives the tags these versions if Redis has `decided` them, else newer ones than they had and at least
        these; tells the other processes."""
        bumped = {}
        with self._changing() as (txn, log):
            for tag, least in versions.items():
                found = txn.get(tag.encode(), db=self._tags)
                before = _U64.unpack(found)[0] if found else 0
                # decided lower than another knows: late, or Redis was flushed. No entry has the version kept then
                kept = least if decided and least == before else max(least, before + 1)
                bumped[tag] = least if decided else kept
                txn.put(tag.encode(), _U64.pack(kept), db=self._tags)
                log((self.writer, None, tag, bumped[tag]))
        return bumped

    def keep_tag(self, tag: str, version: int) -> None:
        """Keeps what Redis said of a tag; who reads this disk hears it from there, too."""
        with self._env.begin(write=True, db=self._tags) as txn:
            found = txn.get(tag.encode())
            if found is None or _U64.unpack(found)[0] < version:
                txn.put(tag.encode(), _U64.pack(version))

    def take_lease(self, key: str) -> bool:
        """Whether this process may make the entry; the system takes a lease back from a process that dies."""
        try:
            fcntl.lockf(self._leases, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place_of(key))
        except BlockingIOError:
            return False
        return True

    def release(self, key: str) -> None:
        fcntl.lockf(self._leases, fcntl.LOCK_UN, 1, _place_of(key))

    def keep_note(self, name: str, note: bytes) -> None:
        with self._env.begin(write=True, db=self._meta) as txn:
            txn.put(f"note {name}".encode(), note)

    def note(self, name: str) -> bytes:
        with self._env.begin(db=self._meta) as txn:
            return txn.get(f"note {name}".encode()) or b""

    def pending(self) -> dict[str, bytes]:
        """What Redis has not heard of."""
        with self._env.begin(db=self._pending) as txn:
            return {bytes(name).decode(): bytes(drop) for name, drop in txn.cursor()}

    def change_pending(self, more: dict[str, bytes], said: dict[str, bytes]) -> int:
        """Adds some, and takes away those that are still as they were said. How many there are then."""
        with self._env.begin(write=True, db=self._pending) as txn:
            for name, drop in more.items():
                txn.put(name.encode(), drop)
            for name, drop in said.items():
                if txn.get(name.encode()) == drop:
                    txn.delete(name.encode())
            self.counter.pending = txn.stat(self._pending)["entries"]
            return self.counter.pending

    def changes(self) -> tuple[list[Change] | None, int]:
        """What others changed since `seen`, in order, and what is `seen` after it; None if that is no longer known."""
        with self._env.begin() as txn:
            return self._read_log(txn), self._number(txn, _CHANGES)

    def close(self) -> None:
        self._env.close()
        os.close(self._leases)

    def sizes(self) -> dict[str, int]:
        with self._env.begin() as txn:
            return {"bytes": self._number(txn, _BYTES), "entries": txn.stat(self._entries)["entries"]}

    def empty(self) -> None:
        """Drops all; every process finds its place in the log gone."""
        try:
            with self._env.begin(write=True) as txn:
                for database in (self._entries, self._order, self._tags, self._log):
                    txn.drop(database, delete=False)
                sequence = self._number(txn, _CHANGES) + LOG_LENGTH + 1
                self._set_number(txn, _BYTES, 0)
                self._set_number(txn, _CHANGES, sequence)
                self.counter.mark_broken(False)
                self.counter.announce(sequence)
        except (lmdb.Error, OSError):
            self.counter.mark_broken(True)
            raise

    def _read_changes(self, txn: lmdb.Transaction) -> None:
        self.on_changes(self._read_log(txn))
        self.seen = self._number(txn, _CHANGES)

    def _read_log(self, txn: lmdb.Transaction) -> list[Change] | None:
        since, last = self.seen, self._number(txn, _CHANGES)
        if last - since > LOG_LENGTH:
            return None
        found = (txn.get(_U64.pack(number), db=self._log) for number in range(since + 1, last + 1))
        try:
            read = [_read_change(change) for change in found if change is not None]
        except msgspec.MsgspecError:
            return None
        return [change for change in read if change[0] != self.writer] if len(read) == last - since else None

    @contextmanager
    def _changing(self) -> Iterator[tuple[lmdb.Transaction, Callable[[Change], None]]]:
        """One transaction, with what to log in it. LMDB lets one writer in at a time, over all processes."""
        with self._env.begin(write=True) as txn:
            sequence = self._number(txn, _CHANGES)

            def log(change: Change) -> None:
                nonlocal sequence
                sequence += 1
                txn.put(_U64.pack(sequence), _write_change(change), db=self._log)
                if sequence > LOG_LENGTH:
                    txn.delete(_U64.pack(sequence - LOG_LENGTH), db=self._log)

            yield txn, log
            self._set_number(txn, _CHANGES, sequence)
            self.counter.announce(sequence)

    def _remove(self, txn: lmdb.Transaction, name: bytes) -> None:
        found = txn.pop(name, db=self._entries)
        if found is not None:
            txn.delete(found[: _U64.size], db=self._order)
            self._set_number(txn, _BYTES, self._number(txn, _BYTES) - _footprint(name, len(found)))

    def _append(self, txn: lmdb.Transaction, name: bytes, entry: bytes) -> None:
        order = _U64.pack(self._number(txn, _ORDER) + 1)
        found = order + entry
        txn.put(_ORDER, order, db=self._meta)
        txn.put(name, found, db=self._entries)
        txn.put(order, name, db=self._order)
        self._set_number(txn, _BYTES, self._number(txn, _BYTES) + _footprint(name, len(found)))

    def _evict(self, txn: lmdb.Transaction) -> None:
        """Takes the oldest until the limit holds; what was read here since it was written goes to the end, once."""
        with txn.cursor(db=self._order) as oldest:
            while self._number(txn, _BYTES) > self.limit and oldest.first():
                name = bytes(oldest.value())
                kept = txn.get(name, db=self._entries) if name in self._read_lately else None
                self._read_lately.discard(name)
                self._remove(txn, name)
                if kept is not None:
                    self._append(txn, name, bytes(kept[_U64.size :]))
                else:
                    self.evictions += 1
        if len(self._read_lately) > 1_000_000:
            self._read_lately.clear()

    def _tag_or_new(self, txn: lmdb.Transaction, name: bytes) -> tuple[int, bool]:
        found = txn.get(name)
        if found is not None:
            return _U64.unpack(found)[0], False
        version = next_version(0)
        txn.put(name, _U64.pack(version))
        return version, True

    def _number(self, txn: lmdb.Transaction, name: bytes) -> int:
        found = txn.get(name, db=self._meta)
        return _U64.unpack(found)[0] if found else 0

    def _set_number(self, txn: lmdb.Transaction, name: bytes, number: int) -> None:
        txn.put(name, _U64.pack(max(number, 0)), db=self._meta)


def _footprint(name: bytes, length: int) -> int:
    """What an entry takes: above half a page LMDB gives it pages of its own."""
    size = length if length < PAGE // 2 - 64 else -(-(length + 16) // PAGE) * PAGE
    return size + 2 * len(name) + ENTRY_OVERHEAD


def _place_of(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big")
