"""Measures calls in turn, and prints their costs and limits."""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

missed: list[str] = []  # figures that did not meet their limit


@dataclass(frozen=True)
class Cost:
    """The cost of one call in µs: CPU time of the calling thread, and percentiles of the elapsed time."""

    cpu: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Call:
    """A call to measure. `do` is called with each key, in `loop` if it is a coroutine function; `before` is called
    before each round and is not measured."""

    do: Callable[[str], Any]
    loop: asyncio.AbstractEventLoop | None = None
    before: Callable[[], object] = lambda: None

    def cpu(self, keys: Sequence[str]) -> float:
        """Returns the mean CPU time of a call in µs."""
        self.before()
        seconds = self._seconds(keys) if self.loop is None else self.loop.run_until_complete(self._in_loop(keys))
        return seconds / len(keys) * 1e6

    def each(self, keys: Sequence[str]) -> list[float]:
        """Returns the elapsed time of every call in µs."""
        self.before()
        if self.loop is not None:
            return self.loop.run_until_complete(self._each_in_loop(keys))
        do, now, found = self.do, time.perf_counter, []
        for key in keys:
            started = now()
            do(key)
            found.append((now() - started) * 1e6)
        return found

    def _seconds(self, keys: Sequence[str]) -> float:
        do, started = self.do, time.thread_time()
        for key in keys:
            do(key)
        return time.thread_time() - started

    async def _in_loop(self, keys: Sequence[str]) -> float:
        do, started = self.do, time.thread_time()
        for key in keys:
            await do(key)
        return time.thread_time() - started

    async def _each_in_loop(self, keys: Sequence[str]) -> list[float]:
        do, now, found = self.do, time.perf_counter, []
        for key in keys:
            started = now()
            await do(key)
            found.append((now() - started) * 1e6)
        return found


def compare(calls: dict[str, Call], keys: Sequence[str], rounds: int = 7) -> dict[str, Cost]:
    """Returns the cost of each call. They are measured in turn, so that other work affects all of them equally.

    Reports the minimum CPU time of a round, and percentiles of the round with the lowest median. Imported objects are
    frozen: a full garbage collection of them takes 50 ms, and could hit the same call in each round.
    """
    gc.collect()
    gc.freeze()
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    each: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            cpu[name].append(call.cpu(keys))
            took = call.each(keys)
            each[name].append((float(np.median(took)), float(np.quantile(took, 0.99))))
    gc.unfreeze()
    return {name: Cost(min(cpu[name]), *min(each[name])) for name in calls}


def head() -> None:
    print(f"{'a call, in µs':<58} {'CPU':>8} {'p50':>8} {'p99':>8}")


def section(title: str) -> None:
    print(f"\n{title}", flush=True)


def line(name: str, cost: Cost) -> None:
    print(f"  {name:<56} {cost.cpu:8.2f} {cost.p50:8.2f} {cost.p99:8.2f}", flush=True)


def lines(costs: dict[str, Cost]) -> None:
    for name, cost in costs.items():
        line(name, cost)


def check_limit(name: str, value: float, limit: float, unit: str, *, at_least: bool = False) -> None:
    """Prints a figure with its limit, and records it in `missed` if the limit is not met."""
    held = value >= limit if at_least else value <= limit
    sign = "≥" if at_least else "≤"
    print(f"  {name:<56} {value:8.2f} {sign} {limit:g} {unit:<8} {'ok' if held else 'MISSED'}", flush=True)
    if not held:
        missed.append(f"{name} ({unit})")
