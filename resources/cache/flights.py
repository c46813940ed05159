"""One factory at a time for each key of a process, and what happened to a key meanwhile."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from resources.cache.tags import Versions


@dataclass(eq=False, slots=True)
class Watch:
    """Over a key: `spoiled` once it was changed or dropped since the watch began."""

    key: str
    spoiled: bool = False


@dataclass(eq=False, slots=True)
class Flight(Watch):
    """A value in the making, from the `versions` that its tags had at the beginning."""

    versions: Versions = ()
    done: Future[Any] = field(default_factory=Future)


class Flights:
    """Those under way, by key."""

    def __init__(self) -> None:
        self._leading: dict[str, Flight] = {}
        self._all: dict[str, list[Watch]] = {}
        self._lock = threading.Lock()

    def join(self, key: str, versions: Versions) -> tuple[Flight, bool]:
        """The flight for a key and whether the caller is to lead it: one that began before a change is not joined."""
        with self._lock:
            found = self._leading.get(key)
            if found is not None and not found.spoiled and found.versions == versions:
                return found, False
            flight = self._leading[key] = Flight(key, versions=versions)
            self._all.setdefault(key, []).append(flight)
            return flight, True

    def watch(self, key: str) -> Watch:
        """For whoever reads from a lower level into a higher one."""
        watch = Watch(key)
        with self._lock:
            self._all.setdefault(key, []).append(watch)
        return watch

    def end(self, watch: Watch) -> None:
        with self._lock:
            others = self._all[watch.key]
            others.remove(watch)
            if not others:
                del self._all[watch.key]
            if self._leading.get(watch.key) is watch:
                del self._leading[watch.key]

    def spoil(self, key: str, but: Watch | None = None) -> None:
        with self._lock:
            for watch in self._all.get(key, ()):
                watch.spoiled |= watch is not but

    def spoil_all(self) -> None:
        with self._lock:
            for watches in self._all.values():
                for watch in watches:
                    watch.spoiled = True
