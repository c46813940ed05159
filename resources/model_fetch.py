"""Fetches a named model: under another name until every byte is checked, then renamed."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from resources.disk import settle
from resources.errors import BadInput, CannotWrite
from resources.http_client import HttpClient
from resources.model_files import NAMED
from resources.settings import Settings


def fetch_model(model: str, settings: Settings, progress: Callable[[int], None]) -> Path:
    """The file of a model of `NAMED`, fetched if it is not there. A cut fetch goes on where it was.

    Raises BadInput if what came is not what was published, SourceUnreachable, CannotWrite. Nothing is left in place then.
    """
    named = NAMED[model]
    path = settings.models / named.file
    try:
        settings.models.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"cannot write {settings.models}: {error.strerror}. Set CRATES_DATA elsewhere") from error
    if path.exists() and _sha256(path) == named.sha256:
        return path
    client = HttpClient(settings.contact or None)
    remote = client.look((settings.model_url or named.address) + named.file)
    if remote.bytes != named.bytes:
        raise BadInput(
            f"{remote.url} has {remote.bytes:,} bytes, expected {named.bytes:,}: it is another file; set CRATES_MODEL_URL "
            "to where the published one is"
        )
    partial = path.with_suffix(".part")
    client.download(remote, 0, named.bytes, partial, progress)
    found = _sha256(partial)
    if found != named.sha256:
        partial.unlink()
        raise BadInput(f"{remote.url} gave sha256 {found}, expected {named.sha256}: nothing was kept of it")
    settle(partial, path)
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
