"""Whether Ctrl-C was pressed, even if a library has swallowed the KeyboardInterrupt.

Dagster replaces the handler of SIGINT while a step runs, and DuckDB raises an error of its own. The wakeup descriptor
of the signal module receives the signal whichever handler is installed.
"""

import signal
import socket

_READER, _WRITER = socket.socketpair()
_READER.setblocking(False)
_WRITER.setblocking(False)


def watch() -> None:
    """Starts to record signals, in the main thread."""
    signal.set_wakeup_fd(_WRITER.fileno(), warn_on_full_buffer=False)


def is_interrupted() -> bool:
    """Whether SIGINT has arrived since `watch`."""
    try:
        return signal.SIGINT in _READER.recv(4096, socket.MSG_PEEK)
    except OSError:  # nothing has arrived, or nothing watches
        return False
