"""The versions of tags. An entry is valid while each of its tags has the version it had before the entry was made.

Versions only grow, and a tag that was forgotten gets one it never had: entries from before are then invalid, never
the other way round. Clocks of two machines are nowhere compared.
"""

import threading
import time
from collections.abc import Iterable, Mapping

from resources.cache.envelope import Versions

MAX_TAGS = 100  # of one value
MAX_TAG_BYTES = 200
MAX_KNOWN = 200_000


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Each tag once. Raises ValueError."""
    found = tuple(dict.fromkeys(tags))
    for tag in found:
        if "@" in tag or "\0" in tag or not 0 < len(tag.encode()) <= MAX_TAG_BYTES:
            raise ValueError(f"{tag!r}: a tag has 1 to {MAX_TAG_BYTES} bytes, without @ and NUL")
    return found


def next_version(before: int) -> int:
    """A version above `before`; microseconds of the clock, so that a forgotten tag gets a new one."""
    return max(before + 1, time.time_ns() // 1000)


class TagVersions:
    """The versions that this process knows. `moves` grows whenever a known version may no longer be right."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.moves = 0
        self._assumed: dict[str, int] = {}
        self._lock = threading.Lock()

    def judge(self, versions: Versions) -> bool | None:
        """Whether all tags still have these versions; None if that has to be asked: a version is not known, or the
        entry was made by a process that knows a newer one."""
        unknown = False
        for tag, version in versions:
            known = self.known.get(tag)
            if known != version:
                if known is not None and known > version:
                    return False
                unknown = True
        return None if unknown else True

    def learn(self, versions: Mapping[str, int], moves: int) -> None:
        """Remembers answers, unless a tag has moved since `moves`."""
        with self._lock:
            if self.moves == moves:
                self.moves += any(self.known.get(tag, version) != version for tag, version in versions.items())
                self.known.update(versions)

    def move(self, versions: Mapping[str, int]) -> None:
        """Takes over invalidations. A version below the known one is old, or Redis was flushed: it has to be asked."""
        with self._lock:
            for tag, version in versions.items():
                if version >= self.known.get(tag, 0):
                    self.known[tag] = version
                else:
                    del self.known[tag]
            self.moves += 1

    def known_or_assumed(self, tags: Iterable[str]) -> dict[str, int]:
        """A tag that is not known and cannot be asked for gets a version of this process alone."""
        with self._lock:
            return {tag: self.known.get(tag) or self._assumed.setdefault(tag, next_version(0)) for tag in tags}

    def forget(self) -> None:
        with self._lock:
            self.known.clear()
            self._assumed.clear()
            self.moves += 1
