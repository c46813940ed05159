"""One factory at a time for each key of a process, and what happened to a key while it was at work."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from resources.cache.tags import Versions


@dataclass(eq=False)
class Flight:
    """A value in the making: `spoiled` once its key was changed or dropped since it began."""

    key: str
    versions: Versions = ()
    spoiled: bool = False
    done: Future[Any] = field(default_factory=Future)


class Flights:
    """Those under way, by key."""

    def __init__(self) -> None:
        self._leading: dict[str, Flight] = {}
        self._all: dict[str, list[Flight]] = {}
        self._lock = threading.Lock()

    def join(self, key: str, versions: Versions) -> tuple[Flight, bool]:
        """The flight for a key and whether the caller is to lead it: one that began before a change is not joined."""
        with self._lock:
            found = self._leading.get(key)
            if found is not None and not found.spoiled and found.versions == versions:
                return found, False
            flight = self._leading[key] = Flight(key, versions)
            self._all.setdefault(key, []).append(flight)
            return flight, True

    def watch(self, key: str) -> Flight:
        """A flight that nobody joins, for whoever reads from a lower level into a higher one."""
        flight = Flight(key)
        with self._lock:
            self._all.setdefault(key, []).append(flight)
        return flight

    def end(self, flight: Flight) -> None:
        with self._lock:
            others = self._all[flight.key]
            others.remove(flight)
            if not others:
                del self._all[flight.key]
            if self._leading.get(flight.key) is flight:
                del self._leading[flight.key]

    def spoil(self, key: str, but: Flight | None = None) -> None:
        with self._lock:
            for flight in self._all.get(key, ()):
                flight.spoiled |= flight is not but

    def spoil_all(self) -> None:
        with self._lock:
            for flights in self._all.values():
                for flight in flights:
                    flight.spoiled = True
