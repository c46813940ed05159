"""Runs a function in a process that is killed, or refused by the disk, at its n-th change of the file system.

A change is one of Python's audit events (https://docs.python.org/3/library/audit_events.html), an fsync, or a write to
a Parquet file or its end: a process that is killed at each of them leaves different files behind.
"""

import errno
import multiprocessing
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pyarrow.parquet as pq

KILLED = 137  # 128 + SIGKILL
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT

# each process is forked from one that has imported everything and runs no thread
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["testing.table_builds", __name__])


@dataclass(frozen=True)
class Attempt:
    """How a process ended: the steps that it took, its exit code, and the error that it raised."""

    steps: list[str]
    exit_code: int | None
    error: str | None


def run_in_process(
    function: Callable[..., None], *arguments: object, watched: tuple[Path, ...], at: int | None, fault: str
) -> Attempt:
    """Runs `function`, which must be importable. At its `at`-th change (from 0) of a path that starts with one of
    `watched` the fault happens: "kill" ends the process, without `finally`; "refuse" raises OSError, once.
    """
    receiver, sender = _PROCESSES.Pipe(duplex=False)
    prefixes = tuple(map(str, watched))
    process = _PROCESSES.Process(target=_run, args=(sender, function, arguments, prefixes, at, fault))
    process.start()
    sender.close()
    steps: list[str] = []
    error = None
    try:
        while True:
            kind, text = receiver.recv()
            if kind == "step":
                steps.append(text)
            else:
                error = text
    except EOFError:
        process.join()
    return Attempt(steps, process.exitcode, error)


def _run(
    sender: Connection,
    function: Callable[..., None],
    arguments: tuple[object, ...],
    watched: tuple[str, ...],
    at: int | None,
    fault: str,
) -> None:
    taken = 0

    def reach(name: str, path: object) -> None:
        nonlocal taken
        if not str(path).startswith(watched):
            return
        step, taken = taken, taken + 1
        sender.send(("step", f"{name} {Path(str(path)).name}"))
        if step == at and fault == "kill":
            os._exit(KILLED)
        if step == at:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    def audit(event: str, details: tuple) -> None:
        if event in CHANGES or (event == "open" and (details[2] or 0) & WRITE_FLAGS):
            reach(event, details[0])

    _call_before(os, "fsync", lambda file: reach("fsync", Path(f"/proc/self/fd/{file}").readlink()))
    _call_before(pq.ParquetWriter, "write_table", lambda writer, *_, **__: reach("write_table", writer.where))
    _call_before(pq.ParquetWriter, "close", lambda writer: reach("close", writer.where))
    sys.addaudithook(audit)
    try:
        function(*arguments)
    except Exception as error:
        sender.send(("error", f"{type(error).__name__}: {error}"))
        sys.exit(1)


def _call_before(owner: object, name: str, act: Callable[..., None]) -> None:
    """Replaces a function by one that calls `act` with the same arguments first."""
    original = getattr(owner, name)

    def wrapped(*arguments: object, **named: object) -> object:
        act(*arguments, **named)
        return original(*arguments, **named)

    setattr(owner, name, wrapped)
