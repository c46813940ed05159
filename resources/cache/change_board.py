"""Change numbers in memory that all processes of one disk level share. A process reads one in 70 ns.

A key maps to one of SLOTS numbers; all tags share one number. A process reads the number before it reads a value from
a slower level, and serves the value from memory while the number is the same. Two keys in one slot only cause misses.
"""

import mmap
import os
import random
import zlib
from array import array
from pathlib import Path

SLOTS = 1 << 17
TAGS, UNUSABLE, IDENTITY, REDIS_OUTDATED_UNTIL, _FIRST_SLOT = 0, 1, 2, 3, 4
BYTES = 8 * (_FIRST_SLOT + SLOTS)


class ChangeBoard:
    """The change numbers in the file `path`. Without a disk level `path` is None: only this process uses them."""

    def __init__(self, path: Path | None = None) -> None:
        self.numbers = memoryview(array("Q", bytes(BYTES))) if path is None else _mapped(path)
        self.identity = self.numbers[IDENTITY] = self.numbers[IDENTITY] or random.getrandbits(63) | 1

    def slot(self, key: str) -> int:
        """Returns the index of the key's number."""
        return _FIRST_SLOT + zlib.crc32(key.encode()) % SLOTS

    def change(self, slot: int) -> int:
        """Sets a new random number, so that values read before are not served; returns it."""
        number = self.numbers[slot] = random.getrandbits(63) | 1
        return number


def _mapped(path: Path) -> memoryview:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # the zeros are written, since on a full disk only allocated pages can be changed
        if os.fstat(descriptor).st_size < BYTES:
            os.pwrite(descriptor, bytes(BYTES), 0)
            os.fsync(descriptor)
        return memoryview(mmap.mmap(descriptor, BYTES)).cast("Q")
    finally:
        os.close(descriptor)
