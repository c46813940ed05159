"""Models by name: fetched from a real server on the loopback and checked, or absent."""

import hashlib
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from cli.fetch_model import address, fetch_model
from resources.common.errors import BadInput, CannotWrite
from resources.common.http.ranges import MIN_PROGRESS_BYTES
from resources.language_model import model_files
from resources.language_model.model_files import NAMED, NamedModel, find_model
from testing.crates_io_server import CratesIoServer, Fault

BYTES = b"GGUF" + Random(1).randbytes(3 * MIN_PROGRESS_BYTES)
SMALL = NamedModel("small.gguf", len(BYTES), hashlib.sha256(BYTES).hexdigest(), "https://publisher.invalid/a/b/")
URL = "/a/b/small.gguf"


@pytest.fixture(autouse=True)
def small_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(model_files.NAMED, "small", SMALL)


@pytest.fixture
def server() -> Iterator[CratesIoServer]:
    with CratesIoServer(files={URL: BYTES}) as running:
        yield running


def fetch(server: CratesIoServer, folder: Path) -> Path:
    return fetch_model("small", folder, server.url, lambda _: None)


def left_in(folder: Path) -> set[str]:
    """The files that a fetch left and that another would use."""
    return {path.name for path in folder.iterdir() if path.suffix in (".gguf", ".part")}


def test_named_models_have_a_hash_and_the_same_path_on_a_mirror() -> None:
    published = [model for name, model in NAMED.items() if name != "small"]
    assert all(len(bytes.fromhex(model.sha256)) == 32 for model in published)
    for model in published:
        assert address(model, "") == model.address + model.file
        assert address(model, "http://mirror/x/").startswith("http://mirror/x/Qwen/")


def test_model_is_fetched_once(server: CratesIoServer, tmp_path: Path) -> None:
    reported: list[int] = []
    path = fetch_model("small", tmp_path, server.url, reported.append)
    assert path.read_bytes() == BYTES
    assert reported[-1] == len(BYTES)
    asked = len(server.requests)
    assert fetch(server, tmp_path) == path
    assert len(server.requests) == asked
    assert left_in(tmp_path) == {"small.gguf"}


def test_fetch_resumes_after_a_cut(server: CratesIoServer, tmp_path: Path) -> None:
    server.faults[URL] = [Fault(), Fault(disconnect_after=2 * MIN_PROGRESS_BYTES)]
    assert fetch(server, tmp_path).read_bytes() == BYTES
    assert server.bytes_sent(URL) == len(BYTES)


@pytest.mark.parametrize("ranges", [True, False])
def test_fetch_resumes_the_partial_file_of_an_earlier_one(server: CratesIoServer, tmp_path: Path, ranges: bool) -> None:
    """A server without ranges sends the whole file again."""
    server.ranges = ranges
    (tmp_path / "small.gguf.part").write_bytes(BYTES[:MIN_PROGRESS_BYTES])
    assert fetch(server, tmp_path).read_bytes() == BYTES
    assert server.bytes_sent(URL) == len(BYTES) - (MIN_PROGRESS_BYTES if ranges else 0)


def test_wrong_bytes_are_deleted(server: CratesIoServer, tmp_path: Path) -> None:
    server.faults[URL] = [Fault(), Fault(flip_at=MIN_PROGRESS_BYTES)]
    with pytest.raises(BadInput, match=f"expected {SMALL.sha256}: it was deleted"):
        fetch(server, tmp_path)
    assert left_in(tmp_path) == set()
    assert fetch(server, tmp_path).read_bytes() == BYTES


@pytest.mark.parametrize("content", [BYTES + b"x", BYTES[:-1], b""])
def test_file_of_another_size_is_refused_before_it_is_fetched(
    server: CratesIoServer, tmp_path: Path, content: bytes
) -> None:
    server.files[URL] = content
    with pytest.raises(BadInput, match=f"has {len(content):,} bytes, expected {len(BYTES):,}"):
        fetch(server, tmp_path)
    assert left_in(tmp_path) == set()
    assert server.bytes_sent(URL) == 0


def test_absent_file_and_unknown_name_are_bad_input(server: CratesIoServer, tmp_path: Path) -> None:
    del server.files[URL]
    with pytest.raises(BadInput, match="answered 404"):
        fetch(server, tmp_path)
    with pytest.raises(BadInput, match=r"no model 'large': use one of qwen2\.5-coder-0\.5b"):
        fetch_model("large", tmp_path, server.url, lambda _: None)


def test_fetch_needs_enough_free_space(server: CratesIoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 9, 1000))
    with pytest.raises(CannotWrite, match="and 1,000 are free"):
        fetch(server, tmp_path)
    assert left_in(tmp_path) == set()


def test_later_damage_is_detected(server: CratesIoServer, tmp_path: Path) -> None:
    path = fetch(server, tmp_path)
    path.write_bytes(BYTES[:-1] + b"\0")
    with pytest.raises(BadInput, match=r"small\.gguf has sha256 .* delete it and run `crates model fetch small`"):
        find_model("small", "", str(tmp_path))
    path.write_bytes(BYTES[:-9])
    with pytest.raises(
        BadInput, match=r"small\.gguf has .* bytes, expected .* delete it and run `crates model fetch small`"
    ):
        find_model("small", "", str(tmp_path))
