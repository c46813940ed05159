"""A page of numbers that all processes of one disk level share: a change of a key or a tag is seen there in 70 ns.

Each key has one of SLOTS numbers, and all tags have one. A process reads the number before it reads a value from a
slower level; its memory may serve the value while the number is the same. Two keys of one slot cost a miss, no more.
"""

import mmap
import os
import random
import zlib
from array import array
from pathlib import Path

SLOTS = 1 << 17
TAGS, UNUSABLE, IDENTITY, UNHEARD_UNTIL, _FIRST_SLOT = 0, 1, 2, 3, 4
BYTES = 8 * (_FIRST_SLOT + SLOTS)


class ChangeBoard:
    """`path` is None for a cache without a disk level: the numbers are then of this process alone."""

    def __init__(self, path: Path | None = None) -> None:
        self.words = memoryview(array("Q", bytes(BYTES))) if path is None else _mapped(path)
        self.identity = self.words[IDENTITY] = self.words[IDENTITY] or random.getrandbits(63) | 1

    def slot(self, key: str) -> int:
        return _FIRST_SLOT + zlib.crc32(key.encode()) % SLOTS

    def change(self, slot: int) -> int:
        """Sets a number that the slot never had."""
        number = self.words[slot] = random.getrandbits(63) | 1
        return number


def _mapped(path: Path) -> memoryview:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # written, not only extended: on a full disk a page that exists can still be changed
        if os.fstat(descriptor).st_size < BYTES:
            os.pwrite(descriptor, bytes(BYTES), 0)
            os.fsync(descriptor)
        return memoryview(mmap.mmap(descriptor, BYTES)).cast("Q")
    finally:
        os.close(descriptor)
