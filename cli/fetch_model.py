"""`crates model fetch`: fetches a named language model from its publisher into the data folder and checks it."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from cli.terminal import console, print_line
from resources.common.errors import BadInput, CannotWrite
from resources.common.files import fsync_and_rename
from resources.common.http.client import HttpClient
from resources.common.settings import Settings
from resources.language_model.model_files import NAMED, NamedModel, find_model

DEFAULT = "qwen2.5-coder-0.5b"


def fetch_model(name: str, folder: Path, url: str, progress: Callable[[int], None]) -> Path:
    """Fetches a named model if it is missing, and returns its checked file. Resumes an interrupted fetch.

    `url` is a mirror or ''. `progress` receives the number of bytes so far. Raises BadInput, CannotWrite,
    SourceUnreachable.
    """
    if name not in NAMED:
        raise BadInput(f"there is no model {name!r}: use one of {', '.join(NAMED)}, or set CRATES_MODEL to a path")
    named = NAMED[name]
    final = folder / named.file
    partial = folder / f"{named.file}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{named.file}.lock").open("w")
    except OSError as error:
        raise CannotWrite(f"{folder} cannot be written ({error}): set CRATES_DATA to another folder") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.exists():
            _download(named, address(named, url), partial, progress)
            fsync_and_rename(partial, final)
        return find_model(name, "", str(folder)).path


def address(named: NamedModel, url: str) -> str:
    """The address of the file at its publisher, or under the same path of a mirror."""
    path = f"{urlsplit(named.address).path}{named.file}"
    return f"{url.rstrip('/')}{path}" if url else f"{named.address}{named.file}"


def _download(named: NamedModel, source: str, partial: Path, progress: Callable[[int], None]) -> None:
    client = HttpClient(None)  # publishers of models do not ask for a contact address
    remote = client.head(source)
    if remote.bytes != named.bytes:
        raise BadInput(f"{source} has {remote.bytes:,} bytes, expected {named.bytes:,}: use another server")
    missing = named.bytes - (partial.stat().st_size if partial.exists() else 0)
    free = shutil.disk_usage(partial.parent).free
    if missing > free:
        raise CannotWrite(
            f"{partial} needs {missing:,} more bytes, and {free:,} are free: free space or set CRATES_DATA"
        )
    client.download(remote, 0, remote.bytes, partial, progress)
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != named.sha256:
        partial.unlink()  # a resumed fetch would have the same wrong bytes
        raise BadInput(f"{source} has sha256 {found}, expected {named.sha256}: it was deleted; use another server")


def fetch_and_report(settings: Settings, name: str | None) -> None:
    """Fetches a model with a progress bar. Raises BadInput, CannotWrite, SourceUnreachable."""
    chosen = name or (settings.model if settings.model in NAMED else DEFAULT)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    output = console()
    with Progress(*columns, console=output, disable=not output.is_terminal) as bars:
        bar = bars.add_task(chosen, total=NAMED[chosen].bytes if chosen in NAMED else None)
        path = fetch_model(chosen, settings.models, settings.model_url, lambda done: bars.update(bar, completed=done))
    print_line(f"{path} has the expected sha256: `crates demo --model {chosen}` uses it")
