"""The client against a real server on the loopback: policy, retries, cuts and files that change, by what was asked."""

import itertools
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import HTTPConnection
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.cache import CacheSettings, close_cache, open_cache
from resources.common.errors import BadInput, CannotWrite
from resources.common.http_client import LEAST_GAIN, TRIES, Answer, HttpClient, SourceChanged, SourceUnreachable
from testing.certificates import certified
from testing.crates_io_server import CratesIoServer, Fault, Request

CONTACT = "keeper@example.org"
ZIP = Random(1).randbytes(3 * LEAST_GAIN)
TEXT = b"serde 1.0.228\n" * 10_000


@pytest.fixture
def server() -> Iterator[CratesIoServer]:
    with CratesIoServer(files={"/dump.zip": ZIP, "/text.txt": TEXT}) as running:
        yield running


@pytest.fixture
def client(server: CratesIoServer) -> HttpClient:
    return HttpClient(CONTACT, api_url=f"{server.url}/api/v1")


@pytest.fixture(scope="module", autouse=True)
def outages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future]]:
    """What takes all tries, and so many seconds, runs beside the other tests."""
    folder = tmp_path_factory.mktemp("outages")
    with CratesIoServer() as server, ThreadPoolExecutor() as pool:
        server.files = {"/hang": TEXT, "/cuts": ZIP, "/restarts": ZIP}
        server.faults["/busy"] = [Fault(status=503)] * TRIES
        server.faults["/hang"] = [Fault(hang=True)] * TRIES
        server.faults["/cuts"] = [Fault(), *[Fault(cut_after=1000)] * TRIES]
        server.faults["/restarts"] = [Fault(), *[Fault(whole=True, cut_after=2 * LEAST_GAIN)] * TRIES]
        yield {
            "busy": pool.submit(_failed_get, server, "/busy"),
            "hang": pool.submit(_failed_get, server, "/hang"),
            "cuts": pool.submit(_failed_download, server, "/cuts", folder / "cuts"),
            "restarts": pool.submit(_failed_download, server, "/restarts", folder / "restarts"),
            "nobody": pool.submit(HttpClient(CONTACT).get, "http://127.0.0.1:9/", most_bytes=1),
        }


def _failed_get(server: CratesIoServer, path: str) -> tuple[Exception, list[Request]]:
    """The error, and the requests it took."""
    with pytest.raises(SourceUnreachable) as caught:
        HttpClient(CONTACT, timeout_s=0.2).get(server.url + path, most_bytes=len(TEXT))
    return caught.value, server.asked(path)


def _failed_download(server: CratesIoServer, path: str, into: Path) -> tuple[Exception, list[Request], bytes, bytes]:
    """The error, the requests it took, what it left, and what the next call made of that."""
    client = HttpClient(CONTACT)
    remote = client.look(server.url + path)
    with pytest.raises(SourceUnreachable) as caught:
        client.download(remote, 0, len(ZIP), into, lambda _: None)
    took, left = server.asked(path), into.read_bytes()
    client.download(remote, 0, len(ZIP), into, lambda _: None)
    return caught.value, took, left, into.read_bytes()


def gaps(requests: list[Request]) -> list[float]:
    return [after.at - before.at for before, after in itertools.pairwise(requests)]


@pytest.mark.parametrize(
    "contact", ["", "me", "me@host", "http://", "a b@example.org", "a@example.org\nX: y", "é@e.org"]
)
def test_contact_is_demanded(contact: str) -> None:
    with pytest.raises(BadInput, match="set CRATES_CONTACT to your e-mail address or web page"):
        HttpClient(contact)


@pytest.mark.parametrize("contact", [CONTACT, "https://example.org/crawler"])
def test_server_learns_who_asks(server: CratesIoServer, contact: str) -> None:
    HttpClient(contact).get(f"{server.url}/text.txt", most_bytes=len(TEXT))
    assert server.requests[0].headers["User-Agent"] == f"rust-crate-pipeline/0.1 ({contact})"
    assert server.requests[0].headers["Accept-Encoding"] == "identity"
    nameless = HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    nameless.request("GET", "/text.txt")
    assert nameless.getresponse().status == 403
    nameless.close()


def test_api_is_asked_once_a_second(server: CratesIoServer, client: HttpClient) -> None:
    """Whichever thread asks, and for retries and redirects too."""
    server.files["/api/v1/crates/alder"] = b"{}"
    server.redirects["/old"] = "/api/v1/crates/alder"
    server.faults["/api/v1/crates/alder"] = [Fault(status=503)]
    with ThreadPoolExecutor() as pool:
        for path in ("/api/v1/crates/alder", "/old"):
            pool.submit(client.get, server.url + path, most_bytes=9)
    asked = server.asked("/api/v1/crates/alder")
    assert len(asked) == 3
    assert min(gaps(asked)) >= 1


@pytest.mark.parametrize("path", ["/text.txt", "/api/v1.txt"])
def test_static_files_are_not_throttled(server: CratesIoServer, client: HttpClient, path: str) -> None:
    server.files[path] = TEXT
    for _ in range(20):
        client.get(server.url + path, most_bytes=len(TEXT))
    asked = server.asked(path)
    assert len(asked) == 20
    assert asked[-1].at - asked[0].at < 1


def test_known_file_is_not_sent_again(server: CratesIoServer, client: HttpClient) -> None:
    url = f"{server.url}/text.txt"
    first = client.get(url, most_bytes=len(TEXT))
    assert (first.status, first.body) == (200, TEXT)
    known = Answer(304, b"", first.etag, first.last_modified)
    assert client.get(url, most_bytes=0, etag=first.etag) == known
    assert client.get(url, most_bytes=0, last_modified=first.last_modified) == known
    assert server.sent("/text.txt") == len(TEXT)
    server.files["/text.txt"] = b"new"
    again = client.get(url, most_bytes=3, etag=first.etag, last_modified=first.last_modified)
    assert (again.status, again.body) == (200, b"new")
    assert again.etag not in (None, first.etag)


def test_cached_file_is_asked_for_but_not_sent_again(server: CratesIoServer, tmp_path: Path) -> None:
    url, settings = f"{server.url}/text.txt", CacheSettings(tmp_path / "cache")
    first = HttpClient(CONTACT, cache=open_cache(settings)).get(url, most_bytes=len(TEXT))
    close_cache(settings)
    later = HttpClient(CONTACT, cache=open_cache(settings))
    assert later.get(url, most_bytes=len(TEXT)) == first
    assert (later.requests, later.bytes_fetched) == (1, 0)
    server.files["/text.txt"] = TEXT[::-1]
    assert later.get(url, most_bytes=len(TEXT)).body == TEXT[::-1]
    with pytest.raises(BadInput, match="expected at most 1"):
        later.get(url, most_bytes=1)
    close_cache(settings)


@pytest.mark.parametrize("status", [404, 410, 451])
def test_absent_is_an_answer(server: CratesIoServer, client: HttpClient, status: int) -> None:
    server.faults["/text.txt"] = [Fault(status=status)]
    answer = client.get(f"{server.url}/text.txt", most_bytes=9)
    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize(
    ("status", "error"), [(400, BadInput), (403, BadInput), (304, BadInput), (520, SourceUnreachable)]
)
def test_other_answers_are_errors(
    server: CratesIoServer, client: HttpClient, status: int, error: type[Exception]
) -> None:
    server.faults["/text.txt"] = [Fault(status=status)] * 2
    with pytest.raises(error, match=f"/text.txt answered {status}"):
        client.get(f"{server.url}/text.txt", most_bytes=9)
    with pytest.raises(error, match=f"/text.txt answered {status}"):
        client.look(f"{server.url}/text.txt")
    assert len(server.requests) == 2


@pytest.mark.parametrize("address", ["nonsense", "ftp://example.org/x", "http://[::1/x", "http://a..b/"])
def test_address_that_is_none(address: str) -> None:
    with pytest.raises(BadInput, match="check the address"):
        HttpClient(CONTACT).get(address, most_bytes=1)


def test_redirects_are_followed(server: CratesIoServer, client: HttpClient) -> None:
    for n in range(1, 6):
        server.redirects[f"/{n}"] = f"{server.url}/{n - 1}" if n > 1 else "text.txt"
    remote = client.look(f"{server.url}/5")
    assert (remote.url, remote.bytes) == (f"{server.url}/text.txt", len(TEXT))
    assert client.get(f"{server.url}/5", most_bytes=len(TEXT)).body == TEXT
    assert client.requests == len(server.requests) == 12


def test_redirects_in_a_circle(server: CratesIoServer, client: HttpClient) -> None:
    server.redirects = {"/a": "/b", "/b": "/a"}
    with pytest.raises(BadInput, match="more than 5 redirects"):
        client.get(f"{server.url}/a", most_bytes=9)
    assert len(server.requests) == 6


def test_redirect_to_nowhere(server: CratesIoServer, client: HttpClient) -> None:
    server.redirects = {"/a": "http://[::1/", "/b": "ftp://example.org/b"}
    for path in server.redirects:
        with pytest.raises(BadInput, match="check the address"):
            client.look(server.url + path)


def test_no_way_leads_from_https_to_http(
    server: CratesIoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
    with CratesIoServer(files={"/text.txt": TEXT}, tls=certified(tmp_path)) as safe:
        safe.redirects = {"/down": f"{server.url}/text.txt", "/along": f"{safe.url}/text.txt"}
        client = HttpClient(CONTACT)
        assert client.get(f"{safe.url}/along", most_bytes=len(TEXT)).body == TEXT
        with pytest.raises(BadInput, match="is not https"):
            client.get(f"{safe.url}/down", most_bytes=len(TEXT))
    assert server.requests == []


def test_retry_after_is_waited_for(server: CratesIoServer, client: HttpClient) -> None:
    """In seconds or as a date, which has whole seconds, so up to one of them is gone."""
    ready = datetime.now(UTC) + timedelta(seconds=3)
    server.files = {"/seconds": b"1", "/date": b"1"}
    server.faults["/seconds"] = [Fault(status=429, retry_after="2")]
    server.faults["/date"] = [Fault(status=503, retry_after=format_datetime(ready, usegmt=True))]
    with ThreadPoolExecutor() as pool:
        for path in server.files:
            pool.submit(client.get, server.url + path, most_bytes=1)
    for path in server.files:
        # Without the header it would be 1 s at most.
        assert 1.8 <= gaps(server.asked(path))[0] < 5


def test_retry_after_too_long_is_told(server: CratesIoServer, client: HttpClient) -> None:
    server.faults["/text.txt"] = [Fault(status=429, retry_after="86400")]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    with pytest.raises(BadInput, match=f"/text.txt answered 429 and asks to wait: come back after {tomorrow}"):
        client.get(f"{server.url}/text.txt", most_bytes=9)
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=500, retry_after="soon"), Fault(cut_after=10)])
def test_short_outage_is_waited_out(server: CratesIoServer, client: HttpClient, fault: Fault) -> None:
    server.faults["/text.txt"] = [fault]
    assert client.get(f"{server.url}/text.txt", most_bytes=len(TEXT)).body == TEXT
    assert len(server.requests) == 2
    assert gaps(server.requests)[0] > 0.4


def test_silence_is_a_failure_slowness_is_not(server: CratesIoServer, tmp_path: Path) -> None:
    """What came before the silence is kept; a body may take longer than a silence may last."""
    client = HttpClient(CONTACT, timeout_s=0.5)
    server.faults["/text.txt"] = [Fault(), Fault(piece=50_000, pause_s=2), Fault(piece=5_000, pause_s=0.05)]
    remote = client.look(f"{server.url}/text.txt")
    client.download(remote, 0, remote.bytes, tmp_path / "text", lambda _: None)
    assert (tmp_path / "text").read_bytes() == TEXT
    assert [r.headers["Range"][:13] for r in server.asked("/text.txt")] == ["bytes=0-13999", "bytes=50000-1"]
    assert server.requests[2].sent == len(TEXT) - 50_000


def test_body_too_large_is_refused(server: CratesIoServer, client: HttpClient) -> None:
    with pytest.raises(BadInput, match=f"/text.txt has {len(TEXT)} bytes or more, expected at most 100"):
        client.get(f"{server.url}/text.txt", most_bytes=100)
    assert client.bytes_fetched == 0


def test_encoded_body_is_bounded_as_it_comes_out(server: CratesIoServer, client: HttpClient) -> None:
    server.faults["/text.txt"] = [Fault(encoded=True)] * 2
    assert client.get(f"{server.url}/text.txt", most_bytes=len(TEXT)).body == TEXT
    with pytest.raises(BadInput, match=f"expected at most {len(TEXT) - 1}"):
        client.get(f"{server.url}/text.txt", most_bytes=len(TEXT) - 1)
    assert server.sent("/text.txt") < len(TEXT) / 10


def test_web_page_is_not_taken_for_a_file(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    url, page = f"{server.url}/dump.zip", Fault(web_page=True)
    server.faults["/dump.zip"] = [page, Fault(), page, page]
    with pytest.raises(BadInput, match="got a web page, not a file"):
        client.look(url)
    remote = client.look(url)
    with pytest.raises(BadInput, match="got a web page, not a file"):
        client.read_range(remote, 0, 9)
    with pytest.raises(BadInput, match="got a web page, not a file"):
        client.download(remote, 0, len(ZIP), tmp_path / "zip", lambda _: None)
    assert not (tmp_path / "zip").exists()


@given(st.integers(0, len(TEXT)), st.integers(0, 300))
def test_range_is_a_slice(shared: tuple[CratesIoServer, HttpClient], start: int, length: int) -> None:
    server, client = shared
    remote = client.look(f"{server.url}/text.txt")
    end = min(start + length, len(TEXT))
    assert client.read_range(remote, start, end) == TEXT[start:end]


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[CratesIoServer, HttpClient]]:
    with CratesIoServer(files={"/text.txt": TEXT}) as running:
        yield running, HttpClient(CONTACT)


def test_range_beyond_the_file(server: CratesIoServer, client: HttpClient) -> None:
    remote = client.look(f"{server.url}/text.txt")
    with pytest.raises(BadInput, match="refuses the range asked for") as caught:
        client.read_range(remote, len(TEXT), len(TEXT) + 1)
    assert not isinstance(caught.value, SourceChanged)


def test_download_is_counted_and_told(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    source, path, seen = tmp_path / "source", tmp_path / "part", []
    source.write_bytes(ZIP)
    server.files["/dump.zip"] = source
    remote = client.look(f"{server.url}/dump.zip")
    client.download(remote, 5, len(ZIP) - 7, path, seen.append)
    assert path.read_bytes() == ZIP[5:-7]
    assert seen == sorted(seen)
    assert seen[-1] == len(ZIP) - 12
    assert (client.requests, client.bytes_fetched) == (2, len(ZIP) - 12)
    client.download(remote, 5, len(ZIP) - 7, path, seen.append)
    assert client.requests == 2


def test_cut_download_goes_on(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    """One cut that came far, one at once: every byte is sent once."""
    cut = LEAST_GAIN + 12_345
    server.faults["/dump.zip"] = [Fault(), Fault(cut_after=cut), Fault(cut_after=10)]
    remote = client.look(f"{server.url}/dump.zip")
    client.download(remote, 0, len(ZIP), tmp_path / "zip", lambda _: None)
    assert (tmp_path / "zip").read_bytes() == ZIP
    asked = server.asked("/dump.zip")
    assert [r.headers["Range"].split("-")[0] for r in asked] == ["bytes=0", f"bytes={cut}", f"bytes={cut + 10}"]
    assert [r.headers["If-Range"] for r in asked] == [remote.etag] * 3
    assert server.sent("/dump.zip") == client.bytes_fetched == len(ZIP)
    assert gaps(asked)[0] < 0.5 <= gaps(asked)[1]


def test_download_goes_on_where_another_stopped(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(ZIP[10:1010])
    client.download(client.look(f"{server.url}/dump.zip"), 10, 5010, tmp_path / "zip", lambda _: None)
    assert (tmp_path / "zip").read_bytes() == ZIP[10:5010]
    assert server.sent("/dump.zip") == 4000


@pytest.mark.parametrize("etags", [True, False])
def test_file_that_changed_is_noticed(server: CratesIoServer, client: HttpClient, tmp_path: Path, etags: bool) -> None:
    server.etags = etags
    server.faults["/dump.zip"] = [Fault(), Fault(cut_after=2 * LEAST_GAIN)]
    remote = client.look(f"{server.url}/dump.zip")

    def replace(_: int) -> None:
        server.files["/dump.zip"] = ZIP[::-1]
        server.last_modified = datetime(2026, 11, 21, tzinfo=UTC)

    with pytest.raises(SourceChanged, match="was replaced on the server"):
        client.download(remote, 0, len(ZIP), tmp_path / "zip", replace)
    assert (tmp_path / "zip").read_bytes() == ZIP[: 2 * LEAST_GAIN]
    with pytest.raises(SourceChanged, match="start again"):
        client.read_range(remote, 0, 9)


def test_file_that_shrank_is_noticed(server: CratesIoServer, client: HttpClient) -> None:
    server.etags = False
    remote = client.look(f"{server.url}/dump.zip")
    server.files["/dump.zip"] = ZIP[:100]
    for start in (0, 1000):
        with pytest.raises(SourceChanged):
            client.read_range(remote, start, start + 9)


def test_same_file_with_another_date_is_the_same(server: CratesIoServer, client: HttpClient) -> None:
    remote = client.look(f"{server.url}/dump.zip")
    server.last_modified = datetime(2026, 11, 21, tzinfo=UTC)
    assert client.read_range(remote, 3, 9) == ZIP[3:9]


def test_server_without_ranges(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    server.ranges = False
    server.faults["/dump.zip"] = [Fault(), Fault(cut_after=2 * LEAST_GAIN)]
    remote, seen = client.look(f"{server.url}/dump.zip"), []
    assert not remote.ranges
    client.download(remote, 0, len(ZIP), tmp_path / "zip", seen.append)
    assert (tmp_path / "zip").read_bytes() == ZIP
    assert server.sent("/dump.zip") == len(ZIP) + 2 * LEAST_GAIN
    assert all("Range" not in r.headers for r in server.requests)
    for ask in (lambda: client.read_range(remote, 0, 9), lambda: client.download(remote, 0, 9, tmp_path / "x", print)):
        with pytest.raises(BadInput, match="no parts of files"):
            ask()


def test_server_that_has_ranges_only_now_and_then(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(ZIP[:1000])
    server.faults["/dump.zip"] = [Fault(), Fault(whole=True), Fault(whole=True)]
    remote = client.look(f"{server.url}/dump.zip")
    client.download(remote, 0, len(ZIP), tmp_path / "zip", lambda _: None)
    assert (tmp_path / "zip").read_bytes() == ZIP
    with pytest.raises(BadInput, match="no parts of files"):
        client.read_range(remote, 0, 9)


def test_more_than_asked_for_is_refused(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    server.faults["/dump.zip"] = [Fault(), Fault(more=3), Fault(more=3)]
    remote = client.look(f"{server.url}/dump.zip")
    with pytest.raises(BadInput, match="more bytes than it was asked for"):
        client.read_range(remote, 0, 9)
    with pytest.raises(BadInput, match="more bytes than it was asked for"):
        client.download(remote, 0, 100_000, tmp_path / "zip", lambda _: None)
    left = (tmp_path / "zip").read_bytes()
    assert left == ZIP[: len(left)]


def test_other_range_than_asked_for_is_refused(server: CratesIoServer, client: HttpClient) -> None:
    server.faults["/dump.zip"] = [Fault(), Fault(skip=2)]
    with pytest.raises(BadInput, match=f"sent 'bytes 12-19/{len(ZIP)}', expected 'bytes 10-19/{len(ZIP)}'"):
        client.read_range(client.look(f"{server.url}/dump.zip"), 10, 20)


def test_flipped_bit_passes_unseen(server: CratesIoServer, client: HttpClient) -> None:
    """HTTP does not see it: whoever reads the bytes has to check their hash."""
    server.faults["/dump.zip"] = [Fault(), Fault(flip_at=105)]
    found = client.read_range(client.look(f"{server.url}/dump.zip"), 100, 110)
    assert found == ZIP[100:105] + bytes([ZIP[105] ^ 1]) + ZIP[106:110]


def test_file_of_another_download_is_left_alone(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(b"x" * 10)
    with pytest.raises(BadInput, match="has 10 bytes, more than the 9 asked for"):
        client.download(client.look(f"{server.url}/dump.zip"), 0, 9, tmp_path / "zip", lambda _: None)
    assert (tmp_path / "zip").read_bytes() == b"x" * 10


def test_disk_that_refuses_is_named(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="gone/zip cannot be written"):
        client.download(client.look(f"{server.url}/dump.zip"), 0, 9, tmp_path / "gone" / "zip", lambda _: None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("busy", "answered 503"), ("hang", "timed out"), ("cuts", "cut while"), ("restarts", "cut while")],
)
def test_outage_ends_after_so_many_tries(outages: dict[str, Future], name: str, reason: str) -> None:
    error, took, *_ = outages[name].result()
    assert reason in str(error)
    assert str(error).endswith(f"after {TRIES} tries: try again later")
    assert len(took) == TRIES
    waits = gaps(took)
    assert all(wait >= 0.5 * 2**n for n, wait in enumerate(waits))
    assert sum(waits) < 20


@pytest.mark.parametrize(("name", "bytes_left"), [("cuts", 1000 * TRIES), ("restarts", 2 * LEAST_GAIN)])
def test_outage_leaves_what_came(outages: dict[str, Future], name: str, bytes_left: int) -> None:
    _, _, left, whole = outages[name].result()
    assert left == ZIP[:bytes_left]
    assert whole == ZIP


def test_nobody_answers(outages: dict[str, Future]) -> None:
    with pytest.raises(SourceUnreachable, match="no answer"):
        outages["nobody"].result()
