"""Drops that Redis has not heard of yet. Until it has, nothing is read from it.

They lie on the disk level, where its other processes see them and where they outlive a process that is killed; in this
process if there is none or it cannot be written.
"""

import os
import threading
from contextlib import suppress

import lmdb

from resources.cache.disk_level import DiskLevel

MOST_KEYS = 1_000  # beyond that their namespaces are dropped whole
_STAMP_BYTES = 8

Drops = dict[str, bytes]  # "k" and a key, or "t" and a tag; with a stamp, and what is to be said of it


class Pending:
    """`disk` is set once it is open."""

    def __init__(self) -> None:
        self.disk: DiskLevel | None = None
        self._here: Drops = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._here) or (self.disk is not None and self.disk.counter.pending != 0)

    def add_key(self, key: str, disk: str) -> None:
        """`disk`: the disk level that has dropped it already."""
        if self._add({f"k{key}": disk}) > MOST_KEYS:
            found = self.all()
            keys = {name: drop for name, drop in found.items() if name[0] == "k"}
            spaces = {f"t{name[1:].partition('/')[0]}" for name in keys}
            self._add({space: "0" for space in spaces if space not in found})
            self.said(keys)

    def add_tags(self, versions: dict[str, int]) -> None:
        self._add({f"t{tag}": str(version) for tag, version in versions.items()})

    def all(self) -> Drops:
        """Raises lmdb.Error: then nobody knows."""
        found = self.disk.pending() if self.disk is not None and self.disk.counter.pending else {}
        with self._lock:
            return {**found, **self._here}

    def said(self, drops: Drops) -> None:
        """Redis has heard them; one that was added again meanwhile stays."""
        with self._lock:
            self._here = {name: drop for name, drop in self._here.items() if drops.get(name) != drop}
        if self.disk is not None and self.disk.counter.pending:
            with suppress(lmdb.Error, OSError):  # they are said again then
                self.disk.change_pending({}, drops)

    def _add(self, drops: dict[str, str]) -> int:
        """How many there are now."""
        stamped = {name: os.urandom(_STAMP_BYTES) + drop.encode() for name, drop in drops.items()}
        if self.disk is not None:
            with suppress(lmdb.Error, OSError):
                return self.disk.change_pending(stamped, {})
        with self._lock:
            self._here |= stamped
            return len(self._here)


def keys_of(drops: Drops) -> dict[str, str]:
    """With the disk level that has dropped them already."""
    return {name[1:]: drop[_STAMP_BYTES:].decode() for name, drop in drops.items() if name[0] == "k"}


def tags_of(drops: Drops) -> dict[str, int]:
    return {name[1:]: int(drop[_STAMP_BYTES:]) for name, drop in drops.items() if name[0] == "t"}
