"""Random operations and faults on two processes, compared with a model of the values that may be served.

A miss is always allowed. A value that was never written under its key, or that is outdated, is an error.
`CRATES_FUZZ_EXAMPLES=400 pytest -m slow tests/integration/cache/test_cache_machine.py` for a long search.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from testing.cache_server import Peer, Server, cache_settings, settings_expression, until
from testing.fuzzing import times

SYNCHRONIZED_S = 20.0
# helpers in the other process: the number of a value, the time that a factory took, and changed bytes on the disk
BEFORE = """
import os
timing = None
def timed_factory(value, seconds):
    def factory():
        global timing
        began = time.monotonic()
        time.sleep(seconds)
        timing = began, time.monotonic()
        return value
    return factory
def number(value):
    return value[0] if isinstance(value, list) else value
def change_on_disk(key, position):
    with local.disk._env.begin(write=True, db=local.disk._entries) as txn:
        found = txn.get(key)
        if found is not None:
            at = max(8, len(found) + position)
            txn.put(key, found[:at] + bytes([found[at] ^ 1]) + found[at + 1:])
def move_on_disk(key, other):
    with local.disk._env.begin(write=True, db=local.disk._entries) as txn:
        found, instead = txn.get(key), txn.get(other)
        if found is not None and instead is not None:
            txn.put(key, found[:8] + instead[8:])
"""
KEYS, TAGS = ("a", "b", "c"), ("red", "blue")
# bytes added to the number of a value: 20 fit in every level, 6,000 exceed memory's limit, 200,000 exceed the disk's
SIZES = (0, 0, 20, 6_000, 200_000)

processes = st.sampled_from((0, 1))
keys = st.sampled_from(KEYS)
tag_sets = st.sampled_from(((), ("red",), ("blue",), TAGS))
changes = st.sampled_from(("set", "delete", "delete", "invalidate", "invalidate", "clear"))
sizes = st.sampled_from(SIZES)
positions = st.just(-17) | st.integers(-300, -1)  # the last byte of a value, or any
pauses = st.sampled_from((0.0, 0.0002, 0.001, 0.004))


class Rig:
    """A server and two processes, used for many examples. Each example has its own namespace."""

    def __init__(self, folder: Path, shared_disk: bool) -> None:
        self.shared_disk = shared_disk
        self.server = Server(folder).start()
        self.client = self.server.client()
        here = replace(cache_settings(folder / "0", self.server.url), memory_bytes=1 << 16, disk_bytes=1 << 20)
        here = replace(here, timeout_s=0.05)
        self.settings = (here, here if shared_disk else replace(here, folder=folder / "1"))
        self.spare = Peer(BEFORE)
        self.peers = [self._started(number, Peer(BEFORE)) for number in (0, 1)]
        self.running, self.hung = True, False
        self.examples = self.values = self.hits = self.gets = 0

    def _started(self, number: int, peer: Peer) -> Peer:
        assert peer(f"begin({settings_expression(self.settings[number])!r})") is None
        return peer

    def restart(self, number: int) -> None:
        """Kills a process, and replaces it by a new one."""
        self.peers[number].kill()
        self.peers[number], self.spare = self._started(number, self.spare), Peer(BEFORE)

    def repair(self) -> None:
        """Makes Redis answer again."""
        if self.hung:
            self.server.resume()
        if not self.running:
            self.server.start()
        self.running, self.hung = True, False

    def synchronize(self) -> None:
        """Waits until Redis answers and each process has received all changes of the other."""
        self.repair()
        for here, there in (self.peers, reversed(self.peers)):
            # the second time the other process has the marker in memory, so it must receive the change
            for _ in range(2):
                self.values += 1
                assert until(lambda here=here, there=there: self._passed(here, there), SYNCHRONIZED_S), (
                    "the other process does not receive the change"
                )

    def _passed(self, here: Peer, there: Peer) -> bool:
        here(f"cache.set('marker', {self.values})")
        if here("bool(levels.redis.pending) or bool(levels.redis._breaker._until)"):
            return False
        return until(lambda: there("cache.get('marker')") == self.values, 0.2)

    def close(self) -> None:
        for peer in (*self.peers, self.spare):
            peer.kill()
        self.client.close()
        self.server.kill()


class Machine(RuleBasedStateMachine):
    """A model of the values that may be served.

    `outdated[n]`: values that process n must not serve. `outdated_everywhere`: values that no process may serve once
    all have received the changes. `unsent[n]`: values that process n has made outdated while Redis was unreachable;
    this is lost if n is killed.
    """

    rig: Rig

    @initialize(restarts=st.sampled_from((0, 0, 0, 0, 0, 1)))
    def begin(self, restarts: int) -> None:
        rig = self.rig
        self.restarts = restarts  # a new process takes a second to start
        rig.examples += 1
        self.name = f"n{rig.examples}"
        self.written: dict[str, dict[int, tuple[str, ...]]] = {key: {} for key in KEYS}
        self.outdated: tuple[set[int], set[int]] = (set(), set())
        self.outdated_everywhere: set[int] = set()
        self.unsent: tuple[set[int], set[int]] = (set(), set())
        self.log: list[str] = []
        rig.synchronize()

    def teardown(self) -> None:
        self.rig.repair()

    # --- calls in a process

    def command(self, call: str) -> str:
        return f"cache.namespace({self.name!r}).{call}"

    def ask(self, process: int, expression: str) -> Any:
        found = self.rig.peers[process](expression)
        self.log.append(f"{process}: {expression} -> {found}")
        return self._checked(found)

    def _checked(self, found: Any) -> Any:
        assert not (isinstance(found, str) and found.startswith("raised")), self.trace()
        return found

    def trace(self) -> str:
        return "\n".join(["", *self.log])

    def new_value(self, size: int) -> tuple[int, str]:
        self.rig.values += 1
        number = self.rig.values
        return number, f"[{number}, os.urandom({size})]" if size else str(number)

    def tags(self, tags: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{self.name}-{tag}" for tag in tags)

    # --- the model

    def mark_outdated(self, process: int, values: set[int]) -> None:
        self.outdated_everywhere |= values
        self.outdated[process].update(values)
        if self.rig.shared_disk:
            self.outdated[1 - process].update(values)
        if self.rig.peers[process]("bool(levels.redis.pending)"):
            self.unsent[process].update(values)

    def write(self, process: int, key: str, number: int, tags: tuple[str, ...]) -> None:
        self.mark_outdated(process, set(self.written[key]))
        self.written[key][number] = tags

    def tagged(self, tags: tuple[str, ...]) -> set[int]:
        return {n for of in self.written.values() for n, had in of.items() if {*had} & {*tags}}

    def check(self, process: int, key: str, found: Any) -> None:
        self.rig.gets += 1
        self.rig.hits += found is not None
        assert found is None or found in self.written[key], f"{found} was never written: {self.trace()}"
        assert found not in self.outdated[process], f"{process} served {found}, which is outdated: {self.trace()}"

    # --- operations

    @rule(process=processes, key=keys)
    def get(self, process: int, key: str) -> None:
        self.check(process, key, self.ask(process, f"number({self.command(f'get({key!r})')})"))

    @rule(key=keys)
    def get_in_both(self, key: str) -> None:
        for process in (0, 1):
            self.get(process, key)

    @rule(process=processes, key=keys, tags=tag_sets, size=sizes)
    def set(self, process: int, key: str, tags: tuple[str, ...], size: int) -> None:
        self.change(process, key, tags, size, "set")

    @rule(process=processes, key=keys, tags=tag_sets, size=sizes, what=changes)
    def change(self, process: int, key: str, tags: tuple[str, ...], size: int, what: str) -> None:
        call, number = self.change_call(what, key, tags, size)
        self.ask(process, call)
        if what == "set":
            self.write(process, key, number, tags)
        elif what == "delete":
            self.mark_outdated(process, {*self.written[key]})
        elif what == "invalidate":
            self.mark_outdated(process, self.tagged(tags))
        else:
            self.mark_outdated(process, {n for of in self.written.values() for n in of})

    def change_call(self, what: str, key: str, tags: tuple[str, ...], size: int) -> tuple[str, int]:
        """Returns the call, and the number of the value that it sets."""
        number, value = self.new_value(size)
        calls = {
            "set": f"set({key!r}, {value}, tags={self.tags(tags)})",
            "delete": f"delete({key!r})",
            "invalidate": f"invalidate_tags(*{self.tags(tags)})",
            "clear": "clear()",
        }
        return self.command(calls[what]), number

    @rule(process=processes, key=keys, tags=tag_sets, size=sizes, by_factory=st.booleans())
    def get_or_set(self, process: int, key: str, tags: tuple[str, ...], size: int, by_factory: bool) -> None:
        number, call = self.get_or_set_call(key, tags, size, by_factory)
        found = self.ask(process, call)
        self.record_result(process, key, number, tags, found)

    def get_or_set_call(
        self, key: str, tags: tuple[str, ...], size: int, by_factory: bool, seconds: float = 0.0
    ) -> tuple[int, str]:
        """Returns the number of the new value, and the call."""
        number, value = self.new_value(size)
        full = self.tags(tags)
        made = f"FactoryResult({value}, tags={full})" if by_factory else value
        factory = f"timed_factory({made}, {seconds})"
        return number, f"number({self.command(f'get_or_set({key!r}, {factory}, tags={() if by_factory else full})')})"

    def record_result(self, process: int, key: str, number: int, tags: tuple[str, ...], found: Any) -> None:
        assert found is not None, self.trace()
        if found != number:
            self.check(process, key, found)
            return
        before = {*self.written[key]}
        self.written[key][number] = tags
        # a value that was not cached, because a flush removed its lease, makes no other value outdated
        if self.ask(process, f"number({self.command(f'get({key!r})')})") == number:
            self.mark_outdated(process, before)

    @rule(process=processes, key=keys, pause=pauses, what=changes)
    def read_during_change(self, process: int, key: str, pause: float, what: str) -> None:
        """One process reads a value while the other makes it outdated."""
        allowed = self.written[key].keys() - self.outdated[process]
        reader = self.rig.peers[process]
        reader.send(f"number({self.command(f'get({key!r})')})")
        time.sleep(pause / 4)
        self.change(1 - process, key, TAGS, 0, what)
        found = self._checked(reader.answer())
        self.log.append(f"{process}: meanwhile get({key!r}) -> {found}")
        if found not in allowed:
            self.check(process, key, found)
        self.get_in_both(key)

    @rule(process=processes, key=keys, tags=tag_sets, size=sizes, by_factory=st.booleans(), pause=pauses, what=changes)
    def compute_during_change(
        self, process: int, key: str, tags: tuple[str, ...], size: int, by_factory: bool, pause: float, what: str
    ) -> None:
        """One process computes a value while the other makes all values outdated, the new one included."""
        before = {*self.written[key]}
        allowed = before - self.outdated[process]
        number, call = self.get_or_set_call(key, tags, size, by_factory, 0.006)
        worker = self.rig.peers[process]
        worker.send(f"({call}, timing)")
        time.sleep(pause)
        began = time.monotonic()
        self.change(1 - process, key, TAGS, 0, what)
        ended = time.monotonic()
        found, timing = self._checked(worker.answer())
        self.log.append(f"{process}: meanwhile {call} -> {found}")
        if found != number:
            if found not in allowed:
                self.check(process, key, found)
            return
        self.mark_outdated(process, before)
        self.written[key][number] = tags
        if timing[0] < began and ended < timing[1] and (what != "invalidate" or tags):
            self.mark_outdated(1 - process, {number})
        self.get_in_both(key)

    @rule()
    def synchronize(self) -> None:
        self.rig.synchronize()
        self.log.append("synchronized")
        for outdated, unsent in zip(self.outdated, self.unsent):
            outdated |= self.outdated_everywhere
            unsent.clear()

    # --- faults

    @rule(process=processes, tags=st.booleans())
    def forget(self, process: int, tags: bool) -> None:
        """Clears the memory of a process, and with `tags` also its versions of tags."""
        self.ask(process, "[local.memory.clear(), local.tags.forget()] and None" if tags else "local.memory.clear()")

    @precondition(lambda self: self.rig.running and not self.rig.hung)
    @rule()
    def hang(self) -> None:
        self.rig.server.hang()
        self.rig.hung = True
        self.log.append("hung")

    @precondition(lambda self: self.rig.running and not self.rig.hung)
    @rule()
    def kill(self) -> None:
        self.rig.server.kill()
        self.rig.running = False
        self.log.append("killed")

    @precondition(lambda self: self.rig.hung or not self.rig.running)
    @rule()
    def repair(self) -> None:
        self.rig.repair()
        self.log.append("repaired")

    @precondition(lambda self: self.rig.running and not self.rig.hung)
    @rule()
    def flush(self) -> None:
        self.rig.client.flushall()
        self.log.append("flushed")

    @precondition(lambda self: self.restarts > 0)
    @rule(process=processes, key=keys, tags=tag_sets, size=sizes, what=changes, pause=pauses)
    def restart(self, process: int, key: str, tags: tuple[str, ...], size: int, what: str, pause: float) -> None:
        """Kills a process during a change, which may have been applied or not."""
        self.restarts -= 1
        lost = self.unsent[process]
        call, number = self.change_call(what, key, tags, size)
        self.rig.peers[process].send(call)
        time.sleep(pause)
        self.rig.restart(process)
        for outdated in (*self.outdated, self.outdated_everywhere):
            outdated -= lost
        lost.clear()
        self.log.append(f"{process}: killed in {call}")
        if what == "set":
            self.written[key][number] = tags

    @precondition(lambda self: self.rig.running and not self.rig.hung)
    @rule(process=processes, key=keys, tags=tag_sets, what=changes, forget=st.booleans())
    def change_while_hung(self, process: int, key: str, tags: tuple[str, ...], what: str, forget: bool) -> None:
        self.set(process, key, TAGS, 0)
        self.hang()
        for number in range(3):
            self.ask(process, self.command(f"get('missing {number}')"))  # the breaker is open now
        self.change(process, key, tags, 0, what)
        if forget:
            self.forget(1 - process, tags=True)
            self.get_in_both(key)
        self.repair()
        self.get_in_both(key)

    @rule(process=processes, key=keys, position=positions)
    def change_on_disk(self, process: int, key: str, position: int) -> None:
        self.ask(process, f"change_on_disk(b'{self.name}@1/{key}', {position})")
        self.read_below_memory(key)

    @rule(process=processes, key=keys, other=keys)
    def move_on_disk(self, process: int, key: str, other: str) -> None:
        if key != other:
            self.ask(process, f"move_on_disk(b'{self.name}@1/{key}', b'{self.name}@1/{other}')")
            self.read_below_memory(key)

    @precondition(lambda self: self.rig.running and not self.rig.hung)
    @rule(key=keys, position=positions, other=keys)
    def change_in_redis(self, key: str, position: int, other: str) -> None:
        """Changes a byte, or replaces the entry by that of another key."""
        client = self.rig.client
        for name in client.scan_iter(f"*e:{self.name}@1/{key}"):
            found: Any = client.get(name) or b"\0"
            at = max(0, len(found) + position)
            changed = found[:at] + bytes([found[at] ^ 1]) + found[at + 1 :]
            instead: Any = client.get(name[:-1] + other.encode()) if other != key else None
            client.set(name, instead or changed, keepttl=True)
            self.log.append(f"changed in Redis: {key}")
            self.read_below_memory(key)

    def read_below_memory(self, key: str) -> None:
        for process in (0, 1):
            self.forget(process, tags=False)
        self.get_in_both(key)


@contextmanager
def rig_of(folder: Path, shared_disk: bool) -> Iterator[Rig]:
    rig = Rig(folder, shared_disk)
    try:
        yield rig
    finally:
        rig.close()


def run_machine(folder: Path, shared_disk: bool, examples: int) -> Rig:
    random.seed(0)
    with rig_of(folder, shared_disk) as rig:
        run_state_machine_as_test(
            type("MachineOfRig", (Machine,), {"rig": rig}),
            settings=settings(
                max_examples=examples,
                stateful_step_count=30,
                deadline=None,
                derandomize=True,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            ),
        )
    return rig


ONE_OR_TWO_DISKS = pytest.mark.parametrize("shared_disk", [True, False], ids=["one disk", "two disks"])


@ONE_OR_TWO_DISKS
def test_two_processes_never_serve_an_outdated_value(tmp_path: Path, shared_disk: bool) -> None:
    assert run_machine(tmp_path, shared_disk, 8).hits >= 5, "some values are served"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@ONE_OR_TWO_DISKS
def test_fuzz_two_processes_never_serve_an_outdated_value(tmp_path: Path, shared_disk: bool) -> None:
    rig = run_machine(tmp_path, shared_disk, times(90))
    assert rig.hits > rig.gets / 10, "some values are served"
