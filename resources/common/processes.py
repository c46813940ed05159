"""Tokens that identify the process behind a temporary file or a run, and whether it has ended.

A token such as `4711-88123@host` has the process id, its start time (in ticks since boot) and the host name. A process
id alone may be reused, and identifies nothing on another host.
"""

import os
import re
import socket
from datetime import timedelta
from pathlib import Path

# processes on other hosts cannot be checked; after this time they count as ended
MAX_FOREIGN_AGE = timedelta(days=2)
TOKEN = re.compile(r"(?P<pid>[0-9]+)-(?P<started>[0-9]+)@(?P<host>[^/]+)")


def process_token(pid: int | None = None) -> str:
    """The token of this process, or of another one on this host."""
    pid = os.getpid() if pid is None else pid
    return f"{pid}-{_start_time(pid)}@{socket.gethostname()}"


def has_ended(token: str, age: timedelta) -> bool:
    """Whether the process of a token has ended. `age` is the age of its file or run.

    A process on another host, and an invalid token, count as running until `age` exceeds MAX_FOREIGN_AGE.
    """
    found = TOKEN.fullmatch(token)
    if found is None or found["host"] != socket.gethostname():
        return age > MAX_FOREIGN_AGE
    pid = int(found["pid"])
    return not _exists(pid) or _start_time(pid) != int(found["started"])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it runs as another user
        return True
    return True


def _start_time(pid: int) -> int:
    """Field 22 of /proc/<pid>/stat; 0 if the system has no /proc, or the process has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[19])
