"""A local copy of the advisory database's main branch, with its whole history: made once, then kept up to date."""

import shutil
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from resources.advisories.git import GitFailed, git
from resources.advisories.history import mend
from resources.common.errors import BadInput, CannotWrite, SourceUnreachable
from resources.common.files import remove_leftovers, temporary_path
from resources.common.settings import ADVISORY_DATABASE

BRANCH = "refs/heads/main"
REFUSED_BY_DISK = ("No space left on device", "Read-only file system", "Permission denied", "Disk quota exceeded")

fetch_git = partial(git, seconds=1800, most_bytes=1_000_000)


def update_clone(url: str, path: Path) -> str:
    """Makes `path` a bare clone of the default branch of `url`, or brings it up to date; returns its newest commit.

    `url` is https://, file:// or an absolute path. A new clone is made beside `path` and renamed when it is whole.
    Raises BadInput if `path` is something else or corrupt, or if the branch was rewritten (the times at which
    advisories became known would change); SourceUnreachable if it cannot be fetched now; CannotWrite.
    """
    _need_plain(url)
    try:
        if path.exists():
            _fetch_into_clone(url, path)
        else:
            _clone(url, path)
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written ({error}): free or mend the disk") from error
    return _head(path)


def _need_plain(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "file") and not url.startswith("/"):
        raise BadInput(f"the advisory database's address is {url!r}, expected one like {ADVISORY_DATABASE}")
    if "@" in parts.netloc:
        raise BadInput(
            f"the advisory database's address has a user or a password in it: expected one like {ADVISORY_DATABASE}"
        )


def _clone(url: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent)
    temporary = temporary_path(path)
    temporary.mkdir()
    try:
        fetch_git(temporary, "init", "--quiet", "--bare", "--template=", "--initial-branch=main")
        try:
            _fetch(url, temporary)
        except GitFailed as error:
            raise _unreachable(url, path, error) from error
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fetch_into_clone(url: str, path: Path) -> None:
    _head(path)
    try:
        _fetch(url, path)
    except GitFailed as error:
        _need_whole(path)
        if "(non-fast-forward)" in str(error):
            raise BadInput(
                f"the history of {url} was rewritten, so what {path} knows since when is no longer in it: "
                f"if that is as it should be, {mend(path)}"
            ) from error
        raise _unreachable(url, path, error) from error


def _fetch(url: str, path: Path) -> None:
    """Fetches the default branch, whatever its name, and nothing else: not the tags, not the pull requests."""
    options = ("--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
    fetch_git(path, "fetch", *options, "--", url, f"HEAD:{BRANCH}", protocols="https:file")


def _head(path: Path) -> str:
    try:
        output = fetch_git(path, "rev-parse", "--is-bare-repository", f"{BRANCH}^{{commit}}").decode().split()
    except GitFailed as error:
        raise BadInput(f"{path} is no whole clone of the advisory database ({error}): {mend(path)}") from error
    if output[0] != "true":
        raise BadInput(f"{path} is somebody's working copy, expected a clone made here: {mend(path)}")
    return output[1]


def _need_whole(path: Path) -> None:
    try:
        fetch_git(path, "fsck", "--connectivity-only", "--no-dangling", "--no-progress")
    except GitFailed as error:
        raise BadInput(f"the clone {path} is corrupt ({error}): {mend(path)}") from error


def _unreachable(url: str, path: Path, error: GitFailed) -> Exception:
    if any(reason in str(error) for reason in REFUSED_BY_DISK):
        return CannotWrite(f"{path} cannot be written ({error}): free or mend the disk")
    return SourceUnreachable(f"{url} cannot be fetched ({error}): check the network and the address, then try again")
