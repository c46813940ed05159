"""A number that every process on one disk level sees at once: it moves when something was changed or dropped there.

One page of a file, mapped by all. A writer sets it before it commits: who finds a change announced that cannot be read
yet looks again at every hit, so a writer that is killed in between makes others slower, never wrong.
"""

import mmap
import os
from pathlib import Path

_VALUE, _BROKEN, _PENDING = 0, 1, 2
_NEVER = (1 << 64) - 1  # nobody has seen so many changes


class SharedCounter:
    """The mapped page."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # written, not only made long: on a full disk a page that is there can still be changed
            if os.fstat(descriptor).st_size < mmap.PAGESIZE:
                os.pwrite(descriptor, bytes(mmap.PAGESIZE), 0)
                os.fsync(descriptor)
            self._page = mmap.mmap(descriptor, mmap.PAGESIZE)
        finally:
            os.close(descriptor)
        self.words = memoryview(self._page).cast("Q")

    def announce(self, sequence: int) -> None:
        """By who holds the writer's lock: the changes up to `sequence` can be read, or are about to be committed."""
        self.words[_VALUE] = sequence
        if self.is_broken:
            self.words[_VALUE] = _NEVER

    @property
    def is_broken(self) -> bool:
        """Whether a drop could not be written: nothing of this disk level may be given until it was emptied."""
        return self.words[_BROKEN] != 0

    @property
    def pending(self) -> int:
        """How many drops Redis has not heard of."""
        return self.words[_PENDING]

    @pending.setter
    def pending(self, drops: int) -> None:
        """By who holds the writer's lock."""
        self.words[_PENDING] = drops

    def mark_broken(self, broken: bool) -> None:
        self.words[_BROKEN] = int(broken)
        if broken:
            self.words[_VALUE] = _NEVER
