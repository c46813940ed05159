"""The local clone of the advisory database's default branch, with its full history."""

import shutil
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from resources.advisories.git import GitFailed, git
from resources.advisories.history import recovery_hint
from resources.common.errors import BadInput, CannotWrite, SourceUnreachable
from resources.common.files import remove_leftovers, temporary_path
from resources.common.settings import ADVISORY_DATABASE

BRANCH = "refs/heads/main"
DISK_ERRORS = ("No space left on device", "Read-only file system", "Permission denied", "Disk quota exceeded")

fetch_git = partial(git, timeout_s=1800, max_bytes=1_000_000)


def update_clone(url: str, path: Path) -> str:
    """Creates or updates the bare clone `path` of the default branch of `url`; returns its newest commit.

    `url` is https://, file:// or an absolute path. A new clone is created under a temporary name and renamed.
    Raises BadInput if `path` is not such a clone or is corrupt, or if the branch was rewritten (which would change the
    times at which advisories became known); SourceUnreachable if the fetch fails; CannotWrite.
    """
    _check_url(url)
    try:
        if path.exists():
            _fetch_into_clone(url, path)
        else:
            _clone(url, path)
    except OSError as error:
        raise CannotWrite(f"cannot write {path} ({error}): check free space and permissions") from error
    return _head(path)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "file") and not url.startswith("/"):
        raise BadInput(f"the URL of the advisory database is {url!r}, expected one like {ADVISORY_DATABASE}")
    if "@" in parts.netloc:
        raise BadInput(
            f"the URL of the advisory database has a user name or password, expected one like {ADVISORY_DATABASE}"
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
        _check_connectivity(path)
        if "(non-fast-forward)" in str(error):
            raise BadInput(
                f"the history of {url} was rewritten and no longer has the commits of {path}: "
                f"if this is intended, {recovery_hint(path)}"
            ) from error
        raise _unreachable(url, path, error) from error


def _fetch(url: str, path: Path) -> None:
    """Fetches the default branch only, without tags and pull requests."""
    options = ("--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
    fetch_git(path, "fetch", *options, "--", url, f"HEAD:{BRANCH}", protocols="https:file")


def _head(path: Path) -> str:
    try:
        output = fetch_git(path, "rev-parse", "--is-bare-repository", f"{BRANCH}^{{commit}}").decode().split()
    except GitFailed as error:
        raise BadInput(
            f"{path} is not a complete clone of the advisory database ({error}): {recovery_hint(path)}"
        ) from error
    if output[0] != "true":
        raise BadInput(f"{path} has a working tree, expected a bare clone: {recovery_hint(path)}")
    return output[1]


def _check_connectivity(path: Path) -> None:
    try:
        fetch_git(path, "fsck", "--connectivity-only", "--no-dangling", "--no-progress")
    except GitFailed as error:
        raise BadInput(f"the clone {path} is corrupt ({error}): {recovery_hint(path)}") from error


def _unreachable(url: str, path: Path, error: GitFailed) -> Exception:
    if any(reason in str(error) for reason in DISK_ERRORS):
        return CannotWrite(f"cannot write {path} ({error}): check free space and permissions")
    return SourceUnreachable(f"cannot fetch {url} ({error}): check the network and the URL, then try again")
