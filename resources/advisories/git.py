"""Runs git on repositories that strangers write to: no hooks, no settings but these, no prompts, bounded."""

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
    # what a clone may say of its own history besides its commits
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "LC_ALL": "C",
}


class GitFailed(Exception):
    """Git's exit was not 0, or it took too long or wrote too much; the text is the end of what it said."""


def git(folder: Path, *arguments: str, seconds: int, most_bytes: int, given: bytes = b"", protocols: str = "") -> bytes:
    """What git writes when run in `folder`, which must be the repository itself, on `given` as its input.

    `protocols` are those it may fetch by, with colons between: none unless given. Raises GitFailed, or BadInput if
    there is no git.
    """
    command = ["git", *(part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")), *arguments]
    with TemporaryFile() as stdin, TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=_environment(folder, protocols),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise BadInput(f"git cannot be run in {folder} ({error}): install git, or restore the folder") from error
        output = _bounded(process, seconds, most_bytes)
        stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - 2000))
        if process.returncode != 0:
            raise GitFailed(stderr.read().decode(errors="replace").strip() or f"exit status {process.returncode}")
    return output


def _bounded(process: subprocess.Popen[bytes], seconds: int, most_bytes: int) -> bytes:
    """All that a process writes; it and its children are ended when it takes too long or writes too much."""
    assert process.stdout is not None
    timer = Timer(seconds, _end, [process.pid])
    timer.start()
    try:
        output = process.stdout.read(most_bytes + 1)
        if len(output) > most_bytes:
            raise GitFailed(f"it wrote more than {most_bytes} bytes")
        if process.wait() == -signal.SIGKILL:
            raise GitFailed(f"it was ended, after {seconds} seconds at most")
        return output
    finally:
        timer.cancel()
        if process.poll() is None:
            _end(process.pid)
            process.wait()
        process.stdout.close()


def _end(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _environment(folder: Path, protocols: str) -> dict[str, str]:
    """This process's variables, without what would lead git elsewhere."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k == "GIT_SSL_CAINFO"}
    # else git would take a repository around a folder that is none
    ceiling = str(folder.resolve().parent)
    return {**inherited, **VARIABLES, "GIT_CEILING_DIRECTORIES": ceiling, "GIT_ALLOW_PROTOCOL": protocols}
