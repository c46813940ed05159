"""The versions of tags. An entry is valid while each of its tags has the version it had before the entry was made.

Versions only grow, and a tag that was forgotten (a flushed Redis) gets one it never had: entries from before are then
invalid, never the other way round. Clocks of two machines are nowhere compared.
"""

import threading
import time
from collections.abc import Iterable

FAR_US = 366 * 24 * 3600 * 10**6  # further than any clock is wrong
MOST_TAGS = 500_000
MOST_TAGS_OF_VALUE = 100
LONGEST_TAG = 200  # bytes
TRUST_S = 60.0  # how long an entry with tags is given after they were last known to hold

Versions = tuple[tuple[str, int], ...]


def checked(tags: Iterable[str]) -> tuple[str, ...]:
    """Each tag once. Raises ValueError."""
    found = tuple(dict.fromkeys(tags))
    for tag in found:
        if "@" in tag or "\0" in tag or not 0 < len(tag.encode()) <= LONGEST_TAG:
            raise ValueError(f"{tag!r}: a tag has 1 to {LONGEST_TAG} bytes, without @ and NUL")
    return found


def next_version(before: int) -> int:
    return max(before + 1, time.time_ns() // 1000)


def beyond_all(versions: dict[str, int]) -> dict[str, int]:
    """Versions beyond any that others may know: nobody could be asked for those, and a clock may have been ahead."""
    return {tag: max(version, next_version(0) + FAR_US) for tag, version in versions.items()}


class TagView:
    """What this process knows of tags.

    With Redis it is fed by Redis's answers and by the backplane; `contact` is when it last knew all that was said
    there (monotonic seconds). What comes from before Redis was flushed is not taken over (`epoch`).
    """

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.contact = float("-inf")
        self.epoch = 0
        self.moves = 0  # grows after each change by which what was valid may be so no longer
        self._moved: dict[str, int] = {}
        self._assumed: set[str] = set()
        self._lock = threading.Lock()

    def judge(self, versions: Versions) -> bool | None:
        """Whether all tags still have these versions; None if some are not known."""
        unknown = False
        for tag, version in versions:
            known = self.known.get(tag)
            if known != version:
                if known is not None and tag not in self._assumed:
                    return False
                unknown = True
        return None if unknown else True

    def versions(self, tags: Iterable[str]) -> Versions:
        """A tag that was forgotten meanwhile has the version 0, which is never valid."""
        return tuple((tag, self.known.get(tag, 0)) for tag in tags)

    def unknown(self, tags: Iterable[str]) -> list[str]:
        return [tag for tag in tags if tag not in self.known or tag in self._assumed]

    def moved_since(self, tags: Iterable[str], moves: int) -> bool:
        return any(self._moved.get(tag, 0) > moves for tag in tags)

    def told(self, versions: dict[str, int]) -> None:
        """Takes over bumps. One to a lower version than is known is either old, or Redis was flushed and knows no
        better: then nobody knows until it is asked."""
        with self._lock:
            for tag, version in versions.items():
                if tag not in self._assumed and version < self.known.get(tag, 0):
                    self._move(tag, None)
                elif version != self.known.get(tag):
                    self._move(tag, version)
                self._assumed.discard(tag)

    def learn(self, versions: dict[str, int], epoch: int, moves: int) -> None:
        """Takes over what was answered to a question of that epoch, but of tags that have moved since."""
        with self._lock:
            if epoch == self.epoch:
                learned = {tag: version for tag, version in versions.items() if self._moved.get(tag, 0) <= moves}
                changed = any(self.known.get(tag, version) != version for tag, version in learned.items())
                self.known.update(learned)
                self._assumed.difference_update(learned)
                self.moves += changed

    def assume(self, tags: Iterable[str]) -> None:
        """Gives tags of which nothing can be learned a version of this process's own."""
        with self._lock:
            unknown = [tag for tag in tags if tag not in self.known]
            self.known.update({tag: next_version(0) for tag in unknown})
            self._assumed.update(unknown)

    def bump(self, tags: Iterable[str]) -> dict[str, int]:
        """New versions, at once valid in this process."""
        with self._lock:
            bumped = {tag: next_version(self.known.get(tag, 0)) for tag in tags}
            self._assumed.difference_update(bumped)  # Redis no longer decides alone
            for tag, version in bumped.items():
                self._move(tag, version)
        return bumped

    def forget_assumed(self) -> None:
        """Redis answers again: it decides."""
        with self._lock:
            for tag in self._assumed:
                self.known.pop(tag, None)
            self._assumed.clear()
            self.moves += 1

    def forget(self) -> None:
        with self._lock:
            self.epoch += 1
            self.known.clear()
            self._assumed.clear()
            self._moved.clear()
            self.moves += 1

    def _move(self, tag: str, version: int | None) -> None:
        self._moved[tag] = self.moves + 1
        self.known.pop(tag, None)
        if version is not None:
            self.known[tag] = version
        self.moves += 1
