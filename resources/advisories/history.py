"""The commits of the main branch that change advisories, and the contents of the files."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from resources.advisories.advisory_file import MAX_BYTES
from resources.advisories.git import GitFailed, git
from resources.common.errors import BadInput

MAX_OUTPUT_BYTES = 256_000_000  # a hundred times that of the real database
MAX_CLOCK_DIFFERENCE_S = 86_400
REGULAR = ("100644", "100755")
REMOVED = "000000"
LOG = (
    "log --first-parent --diff-merges=first-parent --reverse --root --raw --no-abbrev --no-renames --no-ext-diff "
    "--no-color --no-notes --format=%H%x20%ct HEAD -- crates/"
)

read_git = partial(git, timeout_s=300, max_bytes=MAX_OUTPUT_BYTES)


@dataclass(frozen=True)
class Commit:
    """One commit: its hash, when it reached the branch (UTC), and the (mode, blob) of each path that changed."""

    sha: str
    at: datetime
    changes: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class History:
    """Commits, oldest first, and the contents of their regular files: None for a file longer than MAX_BYTES."""

    commits: list[Commit]
    blobs: dict[str, bytes | None]


def read_history(path: Path, until: datetime | None) -> History:
    """The changes under `crates/` up to and including `until`. Raises BadInput if the clone is shallow or corrupt."""
    try:
        _require_full_history(path)
        commits = [commit for commit in _commits(path) if until is None or commit.at <= until]
        blobs = {blob for commit in commits for mode, blob in commit.changes.values() if mode in REGULAR}
        return History(commits, _read_blobs(path, sorted(blobs)))
    except GitFailed as error:
        raise BadInput(f"git cannot read the advisories in {path} ({error}): {recovery_hint(path)}") from error


def recovery_hint(path: Path) -> str:
    """What to do about a broken clone."""
    return f"move {path} away, and it is cloned again"


def _require_full_history(path: Path) -> None:
    output = read_git(path, "rev-parse", "--is-shallow-repository", "HEAD^{commit}")
    if output.split()[0] != b"false":
        raise BadInput(
            f"{path} is a shallow clone, without the times at which advisories became known: "
            f"run `git fetch --unshallow` there, or {recovery_hint(path)}"
        )


def _commits(path: Path) -> Iterator[Commit]:
    """The commits of the main branch that change something under `crates/`, oldest first."""
    at, commit = 0, None
    for line in read_git(path, *LOG.split()).decode(errors="replace").split("\n"):
        # `:100644 100644 <blob> <blob> M<tab>path`; git quotes a path with unusual characters
        if line.startswith(":") and commit:
            change, changed = line.split("\t")
            _, mode, _, blob, _ = change.split(" ")
            commit.changes[changed] = (mode, blob)
        elif line:
            if commit:
                yield commit
            sha, seconds = line.split(" ")
            at = max(at, _refuse_future(int(seconds), sha))
            commit = Commit(sha, datetime(1970, 1, 1) + timedelta(seconds=at), {})
    if commit:
        yield commit


def _refuse_future(at: int, sha: str) -> int:
    if at > time.time() + MAX_CLOCK_DIFFERENCE_S:
        raise BadInput(f"commit {sha} is in the future ({at} seconds since 1970): check the clock of this machine")
    return at


def _read_blobs(path: Path, blobs: list[str]) -> dict[str, bytes | None]:
    sizes = _sizes(path, blobs)
    wanted = [blob for blob in blobs if sizes[blob] <= MAX_BYTES]
    total = sum(sizes[blob] + 200 for blob in wanted)
    if total > MAX_OUTPUT_BYTES:
        raise BadInput(
            f"the advisories in {path} have {total} bytes, expected at most {MAX_OUTPUT_BYTES}: {recovery_hint(path)}"
        )
    output = read_git(path, "cat-file", "--batch", stdin=_lines(wanted))
    contents: dict[str, bytes | None] = dict.fromkeys(blobs)
    start = 0
    for blob in wanted:
        head = f"{blob} blob {sizes[blob]}\n".encode()
        if output[start : start + len(head)] != head:
            raise _missing_object(path, blob)
        start += len(head)
        contents[blob] = output[start : start + sizes[blob]]
        start += sizes[blob] + 1
    return contents


def _sizes(path: Path, blobs: list[str]) -> dict[str, int]:
    lines = read_git(path, "cat-file", "--batch-check", stdin=_lines(blobs)).decode().splitlines()
    sizes = {}
    for blob, line in zip(blobs, lines, strict=True):
        _, *rest = line.split(" ")
        if len(rest) != 2 or rest[0] != "blob":
            raise _missing_object(path, blob)
        sizes[blob] = int(rest[1])
    return sizes


def _missing_object(path: Path, blob: str) -> BadInput:
    return BadInput(f"{path} lacks the object {blob}, which its history refers to: {recovery_hint(path)}")


def _lines(blobs: list[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode()
