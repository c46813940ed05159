"""The versions of tags. An entry is valid while its tags have the same versions as before its factory was called.

Versions only increase. A tag whose version was lost gets a new one, so that older entries become invalid. Clocks of
two machines are never compared.
"""

import threading
import time
from collections.abc import Iterable, Mapping

from resources.cache.envelope import Versions

MAX_TAGS = 100  # per value
MAX_TAG_BYTES = 200
MAX_KNOWN = 200_000


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Returns the tags without duplicates. Raises ValueError for an invalid tag."""
    found = tuple(dict.fromkeys(tags))
    for tag in found:
        if "@" in tag or "\0" in tag or not 0 < len(tag.encode()) <= MAX_TAG_BYTES:
            raise ValueError(f"{tag!r}: a tag has 1 to {MAX_TAG_BYTES} bytes, without @ and NUL")
    return found


def next_version(before: int) -> int:
    """Returns a version above `before`: the time in µs, so that a tag whose version was lost gets a new one."""
    return max(before + 1, time.time_ns() // 1000)


class TagVersions:
    """The versions that this process knows. `revision` increases whenever a known version may be outdated."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.revision = 0
        self._assumed: dict[str, int] = {}
        self._lock = threading.Lock()

    def check(self, versions: Versions) -> bool | None:
        """Returns whether all tags still have these versions.

        None if Redis or the disk must be asked: a version is unknown here, or the entry has a newer one.
        """
        unknown = False
        for tag, version in versions:
            known = self.known.get(tag)
            if known != version:
                if known is not None and known > version:
                    return False
                unknown = True
        return None if unknown else True

    def remember(self, versions: Mapping[str, int], revision: int) -> None:
        """Remembers versions that were read, unless a tag was invalidated since `revision`."""
        with self._lock:
            if self.revision == revision:
                self.revision += any(self.known.get(tag, version) != version for tag, version in versions.items())
                self.known.update(versions)

    def invalidate(self, versions: Mapping[str, int]) -> None:
        """Applies invalidations. After a lower version than the known one neither is trusted."""
        with self._lock:
            for tag, version in versions.items():
                if version >= self.known.get(tag, 0):
                    self.known[tag] = version
                else:
                    del self.known[tag]
            self.revision += 1

    def known_or_assumed(self, tags: Iterable[str]) -> dict[str, int]:
        """Returns the known versions. An unknown tag gets a version that only this process uses."""
        with self._lock:
            return {tag: self.known.get(tag) or self._assumed.setdefault(tag, next_version(0)) for tag in tags}

    def forget(self) -> None:
        with self._lock:
            self.known.clear()
            self._assumed.clear()
            self.revision += 1
