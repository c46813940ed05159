"""Programs that a command starts, and the ports that they serve on."""

import os
import signal
import socket
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from cli.errors import CommandFailed
from resources.common.settings import PROJECT

BENCHMARK_TOOL = "diskcache"  # the group `bench` of pyproject.toml


def replace_process(command: list[str], environment: Mapping[str, str] | None = None) -> NoReturn:
    """Becomes another program, without a shell. Python ignores SIGPIPE; the program gets the default."""
    sys.stdout.flush()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execve(command[0], command, {**os.environ, **(environment or {})})
    except OSError as error:
        raise CommandFailed(f"cannot run {command[0]}: {error.strerror}. Run `make` once in {PROJECT}") from error


def program(name: str) -> str:
    """A program that is installed beside this interpreter."""
    return str(Path(sys.executable).with_name(name))


def run_benchmark(name: str, *arguments: str) -> NoReturn:
    """Becomes a benchmark, which only a checkout has. Raises CommandFailed if it, or a tool it needs, is missing."""
    if not (PROJECT / "benchmarks" / f"{name}.py").is_file():
        raise CommandFailed("this installation has no benchmarks: run them in a checkout of the project")
    if find_spec(BENCHMARK_TOOL) is None:
        raise CommandFailed(f"{BENCHMARK_TOOL} is not installed: run `make .venv/dev-ready`")
    replace_process([sys.executable, "-m", f"benchmarks.{name}", *arguments], {"PYTHONPATH": str(PROJECT)})


def require_free_port(port: int, command: str) -> None:
    """Raises CommandFailed if something listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandFailed(
                f"cannot listen on port {port} of 127.0.0.1: {error.strerror}. Choose another: "
                f"`crates {command} --port {port + 1 if port < 65535 else port - 1}`"
            ) from error
