"""Runs git on untrusted repositories: no hooks, no configuration files, no prompts, limited time and output."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer

from resources.common.errors import BadInput

SETTINGS = {
    "advice.graftFileDeprecated": "false",
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.quotePath": "true",
    "credential.helper": "",
    "gc.autoDetach": "false",
    "log.showSignature": "false",
    "protocol.ext.allow": "never",
}
VARIABLES = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    # a clone must not change its history by replacements and grafts
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "LC_ALL": "C",
}


class GitFailed(Exception):
    """Git failed, took too long or wrote too much. The text is the end of its error output."""


def git(
    folder: Path, *arguments: str, timeout_s: int, max_bytes: int, stdin: bytes = b"", protocols: str = ""
) -> bytes:
    """The output of git in `folder`, which must be the repository itself.

    `protocols` are the transports that it may use, separated by colons (default: none). Raises GitFailed, and BadInput
    if git is not installed.
    """
    command = ["git", *(part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")), *arguments]
    with TemporaryFile() as input_file, TemporaryFile() as stderr:
        input_file.write(stdin)
        input_file.seek(0)
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=_environment(folder, protocols),
                stdin=input_file,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise BadInput(f"cannot run git in {folder} ({error}): install git, or restore the folder") from error
        output = _read_output(process, timeout_s, max_bytes)
        stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - 2000))
        if process.returncode != 0:
            raise GitFailed(stderr.read().decode(errors="replace").strip() or f"exit status {process.returncode}")
    return output


def _read_output(process: subprocess.Popen[bytes], timeout_s: int, max_bytes: int) -> bytes:
    """The output of a process, which is killed with its children beyond the limits."""
    assert process.stdout is not None
    timer = Timer(timeout_s, _kill_group, [process.pid])
    timer.start()
    try:
        output = process.stdout.read(max_bytes + 1)
        if len(output) > max_bytes:
            raise GitFailed(f"it wrote more than {max_bytes} bytes")
        if process.wait() == -signal.SIGKILL:
            raise GitFailed(f"it was killed, after at most {timeout_s} seconds")
        return output
    finally:
        timer.cancel()
        if process.poll() is None:
            _kill_group(process.pid)
            process.wait()
        process.stdout.close()


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _environment(folder: Path, protocols: str) -> dict[str, str]:
    """The variables of this process, without those that point git to other repositories."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k == "GIT_SSL_CAINFO"}
    # else git would use a parent folder that is a repository
    ceiling = str(folder.resolve().parent)
    return {**inherited, **VARIABLES, "GIT_CEILING_DIRECTORIES": ceiling, "GIT_ALLOW_PROTOCOL": protocols}
