"""The HTTP client against a local server: policy, retries, lost connections and replaced files."""

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

from resources.common.errors import BadInput, CannotWrite, SourceUnreachable
from resources.common.http.client import HttpClient
from resources.common.http.ranges import MIN_PROGRESS_BYTES
from resources.common.http.responses import CachedResponse, Response, SourceChanged
from resources.common.http.retries import MAX_ATTEMPTS
from testing.certificates import certified
from testing.crates_io_server import CratesIoServer, Fault, Request

CONTACT = "keeper@example.org"
ZIP = Random(1).randbytes(3 * MIN_PROGRESS_BYTES)
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
    """Tests that exhaust all attempts take seconds, so they run in threads beside the other tests."""
    folder = tmp_path_factory.mktemp("outages")
    with CratesIoServer() as server, ThreadPoolExecutor() as pool:
        server.files = {"/hang": TEXT, "/disconnect": ZIP, "/restart": ZIP}
        server.faults["/busy"] = [Fault(status=503)] * MAX_ATTEMPTS
        server.faults["/hang"] = [Fault(hang=True)] * MAX_ATTEMPTS
        server.faults["/disconnect"] = [Fault(), *[Fault(disconnect_after=1000)] * MAX_ATTEMPTS]
        server.faults["/restart"] = [
            Fault(),
            *[Fault(ignore_range=True, disconnect_after=2 * MIN_PROGRESS_BYTES)] * MAX_ATTEMPTS,
        ]
        yield {
            "busy": pool.submit(_failed_get, server, "/busy"),
            "hang": pool.submit(_failed_get, server, "/hang"),
            "disconnect": pool.submit(_failed_download, server, "/disconnect", folder / "disconnect"),
            "restart": pool.submit(_failed_download, server, "/restart", folder / "restart"),
            "refused": pool.submit(HttpClient(CONTACT).get, "http://127.0.0.1:9/", max_bytes=1),
        }


def _failed_get(server: CratesIoServer, path: str) -> tuple[Exception, list[Request]]:
    """The error, and the requests that were sent."""
    with pytest.raises(SourceUnreachable) as caught:
        HttpClient(CONTACT, timeout_s=0.2).get(server.url + path, max_bytes=len(TEXT))
    return caught.value, server.requests_for(path)


def _failed_download(server: CratesIoServer, path: str, into: Path) -> tuple[Exception, list[Request], bytes, bytes]:
    """The error, the requests that were sent, the partial file, and the file after the next call."""
    client = HttpClient(CONTACT)
    remote = client.head(server.url + path)
    with pytest.raises(SourceUnreachable) as caught:
        client.download(remote, 0, len(ZIP), into, lambda _: None)
    requests, partial = server.requests_for(path), into.read_bytes()
    client.download(remote, 0, len(ZIP), into, lambda _: None)
    return caught.value, requests, partial, into.read_bytes()


def gaps(requests: list[Request]) -> list[float]:
    return [after.at - before.at for before, after in itertools.pairwise(requests)]


@pytest.mark.parametrize(
    "contact", ["", "me", "me@host", "http://", "a b@example.org", "a@example.org\nX: y", "é@e.org"]
)
def test_invalid_contact_is_rejected(contact: str) -> None:
    with pytest.raises(BadInput, match="set CRATES_CONTACT to your e-mail address or web page"):
        HttpClient(contact)


@pytest.mark.parametrize("contact", [CONTACT, "https://example.org/crawler"])
def test_user_agent_carries_the_contact(server: CratesIoServer, contact: str) -> None:
    HttpClient(contact).get(f"{server.url}/text.txt", max_bytes=len(TEXT))
    assert server.requests[0].headers["User-Agent"] == f"rust-crate-pipeline/0.1 ({contact})"
    assert server.requests[0].headers["Accept-Encoding"] == "identity"
    without_user_agent = HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    without_user_agent.request("GET", "/text.txt")
    assert without_user_agent.getresponse().status == 403
    without_user_agent.close()


def test_api_requests_are_one_second_apart(server: CratesIoServer, client: HttpClient) -> None:
    """Over all threads, with retries and redirects."""
    server.files["/api/v1/crates/alder"] = b"{}"
    server.redirects["/old"] = "/api/v1/crates/alder"
    server.faults["/api/v1/crates/alder"] = [Fault(status=503)]
    with ThreadPoolExecutor() as pool:
        for path in ("/api/v1/crates/alder", "/old"):
            pool.submit(client.get, server.url + path, max_bytes=9)
    requests = server.requests_for("/api/v1/crates/alder")
    assert len(requests) == 3
    assert min(gaps(requests)) >= 1


@pytest.mark.parametrize("path", ["/text.txt", "/api/v1.txt"])
def test_static_files_are_not_throttled(server: CratesIoServer, client: HttpClient, path: str) -> None:
    server.files[path] = TEXT
    for _ in range(20):
        client.get(server.url + path, max_bytes=len(TEXT))
    requests = server.requests_for(path)
    assert len(requests) == 20
    assert requests[-1].at - requests[0].at < 1


def test_unmodified_file_is_not_sent_again(server: CratesIoServer, client: HttpClient) -> None:
    url = f"{server.url}/text.txt"
    first = client.get(url, max_bytes=len(TEXT))
    assert (first.status, first.body) == (200, TEXT)
    not_modified = Response(304, b"", first.etag, first.last_modified)
    assert client.get(url, max_bytes=0, etag=first.etag) == not_modified
    assert client.get(url, max_bytes=0, last_modified=first.last_modified) == not_modified
    assert server.bytes_sent("/text.txt") == len(TEXT)
    server.files["/text.txt"] = b"new"
    again = client.get(url, max_bytes=3, etag=first.etag, last_modified=first.last_modified)
    assert (again.status, again.body) == (200, b"new")
    assert again.etag not in (None, first.etag)


def test_cached_file_is_revalidated_but_not_sent_again(server: CratesIoServer) -> None:
    url, cache = f"{server.url}/text.txt", DictCache()
    first = HttpClient(CONTACT, cache=cache).get(url, max_bytes=len(TEXT))
    later = HttpClient(CONTACT, cache=cache)
    assert later.get(url, max_bytes=len(TEXT)) == first
    assert (later.requests, later.bytes_fetched) == (1, 0)
    server.files["/text.txt"] = TEXT[::-1]
    assert later.get(url, max_bytes=len(TEXT)).body == TEXT[::-1]
    with pytest.raises(BadInput, match="expected at most 1"):
        later.get(url, max_bytes=1)


class DictCache:
    """The smallest ResponseCache."""

    def __init__(self) -> None:
        self._responses: dict[str, CachedResponse] = {}

    def get(self, url: str) -> CachedResponse | None:
        return self._responses.get(url)

    def set(self, url: str, response: CachedResponse) -> None:
        self._responses[url] = response


@pytest.mark.parametrize("status", [404, 410, 451])
def test_absent_file_has_status_404(server: CratesIoServer, client: HttpClient, status: int) -> None:
    server.faults["/text.txt"] = [Fault(status=status)]
    answer = client.get(f"{server.url}/text.txt", max_bytes=9)
    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize(
    ("status", "error"), [(400, BadInput), (403, BadInput), (304, BadInput), (520, SourceUnreachable)]
)
def test_other_statuses_raise(server: CratesIoServer, client: HttpClient, status: int, error: type[Exception]) -> None:
    server.faults["/text.txt"] = [Fault(status=status)] * 2
    with pytest.raises(error, match=f"/text.txt answered {status}"):
        client.get(f"{server.url}/text.txt", max_bytes=9)
    with pytest.raises(error, match=f"/text.txt answered {status}"):
        client.head(f"{server.url}/text.txt")
    assert len(server.requests) == 2


@pytest.mark.parametrize("address", ["nonsense", "ftp://example.org/x", "http://[::1/x", "http://a..b/"])
def test_invalid_url_is_rejected(address: str) -> None:
    with pytest.raises(BadInput, match="check the URL"):
        HttpClient(CONTACT).get(address, max_bytes=1)


def test_redirects_are_followed(server: CratesIoServer, client: HttpClient) -> None:
    for n in range(1, 6):
        server.redirects[f"/{n}"] = f"{server.url}/{n - 1}" if n > 1 else "text.txt"
    remote = client.head(f"{server.url}/5")
    assert (remote.url, remote.bytes) == (f"{server.url}/text.txt", len(TEXT))
    assert client.get(f"{server.url}/5", max_bytes=len(TEXT)).body == TEXT
    assert client.requests == len(server.requests) == 12


def test_redirect_loop_is_rejected(server: CratesIoServer, client: HttpClient) -> None:
    server.redirects = {"/a": "/b", "/b": "/a"}
    with pytest.raises(BadInput, match="more than 5 redirects"):
        client.get(f"{server.url}/a", max_bytes=9)
    assert len(server.requests) == 6


def test_redirect_to_an_invalid_url_is_rejected(server: CratesIoServer, client: HttpClient) -> None:
    server.redirects = {"/a": "http://[::1/", "/b": "ftp://example.org/b"}
    for path in server.redirects:
        with pytest.raises(BadInput, match="check the URL"):
            client.head(server.url + path)


def test_redirect_from_https_to_http_is_rejected(
    server: CratesIoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
    with CratesIoServer(files={"/text.txt": TEXT}, tls=certified(tmp_path)) as safe:
        safe.redirects = {"/down": f"{server.url}/text.txt", "/along": f"{safe.url}/text.txt"}
        client = HttpClient(CONTACT)
        assert client.get(f"{safe.url}/along", max_bytes=len(TEXT)).body == TEXT
        with pytest.raises(BadInput, match="is not https"):
            client.get(f"{safe.url}/down", max_bytes=len(TEXT))
    assert server.requests == []


def test_retry_after_is_honoured(server: CratesIoServer, client: HttpClient) -> None:
    """In seconds, or as a date, which is rounded down to a second."""
    ready = datetime.now(UTC) + timedelta(seconds=3)
    server.files = {"/seconds": b"1", "/date": b"1"}
    server.faults["/seconds"] = [Fault(status=429, retry_after="2")]
    server.faults["/date"] = [Fault(status=503, retry_after=format_datetime(ready, usegmt=True))]
    with ThreadPoolExecutor() as pool:
        for path in server.files:
            pool.submit(client.get, server.url + path, max_bytes=1)
    for path in server.files:
        # without the header it would be 1 s at most
        assert 1.8 <= gaps(server.requests_for(path))[0] < 5


def test_long_retry_after_is_reported_at_once(server: CratesIoServer, client: HttpClient) -> None:
    server.faults["/text.txt"] = [Fault(status=429, retry_after="86400")]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    with pytest.raises(BadInput, match=f"/text.txt answered 429: try again after {tomorrow}"):
        client.get(f"{server.url}/text.txt", max_bytes=9)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fault", [Fault(status=503), Fault(status=500, retry_after="soon"), Fault(disconnect_after=10)]
)
def test_temporary_failure_is_retried(server: CratesIoServer, client: HttpClient, fault: Fault) -> None:
    server.faults["/text.txt"] = [fault]
    assert client.get(f"{server.url}/text.txt", max_bytes=len(TEXT)).body == TEXT
    assert len(server.requests) == 2
    assert gaps(server.requests)[0] > 0.4


def test_read_timeout_is_retried_and_a_slow_body_is_not(server: CratesIoServer, tmp_path: Path) -> None:
    """The bytes before the timeout are kept. The timeout limits each read, not the whole body."""
    client = HttpClient(CONTACT, timeout_s=0.5)
    server.faults["/text.txt"] = [Fault(), Fault(piece=50_000, pause_s=2), Fault(piece=5_000, pause_s=0.05)]
    remote = client.head(f"{server.url}/text.txt")
    client.download(remote, 0, remote.bytes, tmp_path / "text", lambda _: None)
    assert (tmp_path / "text").read_bytes() == TEXT
    assert [r.headers["Range"][:13] for r in server.requests_for("/text.txt")] == ["bytes=0-13999", "bytes=50000-1"]
    assert server.requests[2].bytes_sent == len(TEXT) - 50_000


def test_oversized_body_is_rejected(server: CratesIoServer, client: HttpClient) -> None:
    with pytest.raises(BadInput, match=f"/text.txt has {len(TEXT)} or more bytes, expected at most 100"):
        client.get(f"{server.url}/text.txt", max_bytes=100)
    assert client.bytes_fetched == 0


def test_limit_applies_to_the_decompressed_body(server: CratesIoServer, client: HttpClient) -> None:
    server.faults["/text.txt"] = [Fault(compressed=True)] * 2
    assert client.get(f"{server.url}/text.txt", max_bytes=len(TEXT)).body == TEXT
    with pytest.raises(BadInput, match=f"expected at most {len(TEXT) - 1}"):
        client.get(f"{server.url}/text.txt", max_bytes=len(TEXT) - 1)
    assert server.bytes_sent("/text.txt") < len(TEXT) / 10


def test_web_page_is_rejected(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    url, page = f"{server.url}/dump.zip", Fault(web_page=True)
    server.faults["/dump.zip"] = [page, Fault(), page, page]
    with pytest.raises(BadInput, match="is a web page, not a file"):
        client.head(url)
    remote = client.head(url)
    with pytest.raises(BadInput, match="is a web page, not a file"):
        client.read_range(remote, 0, 9)
    with pytest.raises(BadInput, match="is a web page, not a file"):
        client.download(remote, 0, len(ZIP), tmp_path / "zip", lambda _: None)
    assert not (tmp_path / "zip").exists()


@given(st.integers(0, len(TEXT)), st.integers(0, 300))
def test_read_range_returns_the_slice(shared: tuple[CratesIoServer, HttpClient], start: int, length: int) -> None:
    server, client = shared
    remote = client.head(f"{server.url}/text.txt")
    end = min(start + length, len(TEXT))
    assert client.read_range(remote, start, end) == TEXT[start:end]


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[CratesIoServer, HttpClient]]:
    with CratesIoServer(files={"/text.txt": TEXT}) as running:
        yield running, HttpClient(CONTACT)


def test_range_beyond_the_end_is_rejected(server: CratesIoServer, client: HttpClient) -> None:
    remote = client.head(f"{server.url}/text.txt")
    with pytest.raises(BadInput, match="requested range is beyond its end") as caught:
        client.read_range(remote, len(TEXT), len(TEXT) + 1)
    assert not isinstance(caught.value, SourceChanged)


def test_download_reports_progress_and_counts_bytes(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    source, path, sizes = tmp_path / "source", tmp_path / "part", []
    source.write_bytes(ZIP)
    server.files["/dump.zip"] = source
    remote = client.head(f"{server.url}/dump.zip")
    client.download(remote, 5, len(ZIP) - 7, path, sizes.append)
    assert path.read_bytes() == ZIP[5:-7]
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(ZIP) - 12
    assert (client.requests, client.bytes_fetched) == (2, len(ZIP) - 12)
    client.download(remote, 5, len(ZIP) - 7, path, sizes.append)
    assert client.requests == 2


def test_interrupted_download_continues(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    """Once after much progress, once after little: every byte is sent once."""
    first_size = MIN_PROGRESS_BYTES + 12_345
    server.faults["/dump.zip"] = [Fault(), Fault(disconnect_after=first_size), Fault(disconnect_after=10)]
    remote = client.head(f"{server.url}/dump.zip")
    client.download(remote, 0, len(ZIP), tmp_path / "zip", lambda _: None)
    assert (tmp_path / "zip").read_bytes() == ZIP
    requests = server.requests_for("/dump.zip")
    assert [r.headers["Range"].split("-")[0] for r in requests] == [
        "bytes=0",
        f"bytes={first_size}",
        f"bytes={first_size + 10}",
    ]
    assert [r.headers["If-Range"] for r in requests] == [remote.etag] * 3
    assert server.bytes_sent("/dump.zip") == client.bytes_fetched == len(ZIP)
    assert gaps(requests)[0] < 0.5 <= gaps(requests)[1]


def test_download_continues_a_partial_file(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(ZIP[10:1010])
    client.download(client.head(f"{server.url}/dump.zip"), 10, 5010, tmp_path / "zip", lambda _: None)
    assert (tmp_path / "zip").read_bytes() == ZIP[10:5010]
    assert server.bytes_sent("/dump.zip") == 4000


@pytest.mark.parametrize("etags", [True, False])
def test_replaced_file_is_detected(server: CratesIoServer, client: HttpClient, tmp_path: Path, etags: bool) -> None:
    server.etags = etags
    server.faults["/dump.zip"] = [Fault(), Fault(disconnect_after=2 * MIN_PROGRESS_BYTES)]
    remote = client.head(f"{server.url}/dump.zip")

    def replace(_: int) -> None:
        server.files["/dump.zip"] = ZIP[::-1]
        server.last_modified = datetime(2026, 11, 21, tzinfo=UTC)

    with pytest.raises(SourceChanged, match="was replaced on the server"):
        client.download(remote, 0, len(ZIP), tmp_path / "zip", replace)
    assert (tmp_path / "zip").read_bytes() == ZIP[: 2 * MIN_PROGRESS_BYTES]
    with pytest.raises(SourceChanged, match="start again"):
        client.read_range(remote, 0, 9)


def test_truncated_file_is_detected(server: CratesIoServer, client: HttpClient) -> None:
    server.etags = False
    remote = client.head(f"{server.url}/dump.zip")
    server.files["/dump.zip"] = ZIP[:100]
    for start in (0, 1000):
        with pytest.raises(SourceChanged):
            client.read_range(remote, start, start + 9)


def test_date_is_ignored_if_the_etag_matches(server: CratesIoServer, client: HttpClient) -> None:
    remote = client.head(f"{server.url}/dump.zip")
    server.last_modified = datetime(2026, 11, 21, tzinfo=UTC)
    assert client.read_range(remote, 3, 9) == ZIP[3:9]


def test_server_without_range_support_sends_the_whole_file(
    server: CratesIoServer, client: HttpClient, tmp_path: Path
) -> None:
    server.ranges = False
    server.faults["/dump.zip"] = [Fault(), Fault(disconnect_after=2 * MIN_PROGRESS_BYTES)]
    remote, sizes = client.head(f"{server.url}/dump.zip"), []
    assert not remote.accepts_ranges
    client.download(remote, 0, len(ZIP), tmp_path / "zip", sizes.append)
    assert (tmp_path / "zip").read_bytes() == ZIP
    assert server.bytes_sent("/dump.zip") == len(ZIP) + 2 * MIN_PROGRESS_BYTES
    assert all("Range" not in r.headers for r in server.requests)
    for call in (lambda: client.read_range(remote, 0, 9), lambda: client.download(remote, 0, 9, tmp_path / "x", print)):
        with pytest.raises(BadInput, match="does not support range requests"):
            call()


def test_server_may_ignore_single_range_requests(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(ZIP[:1000])
    server.faults["/dump.zip"] = [Fault(), Fault(ignore_range=True), Fault(ignore_range=True)]
    remote = client.head(f"{server.url}/dump.zip")
    client.download(remote, 0, len(ZIP), tmp_path / "zip", lambda _: None)
    assert (tmp_path / "zip").read_bytes() == ZIP
    with pytest.raises(BadInput, match="does not support range requests"):
        client.read_range(remote, 0, 9)


def test_excess_bytes_are_rejected(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    server.faults["/dump.zip"] = [Fault(), Fault(extra_bytes=3), Fault(extra_bytes=3)]
    remote = client.head(f"{server.url}/dump.zip")
    with pytest.raises(BadInput, match="more bytes than requested"):
        client.read_range(remote, 0, 9)
    with pytest.raises(BadInput, match="more bytes than requested"):
        client.download(remote, 0, 100_000, tmp_path / "zip", lambda _: None)
    partial = (tmp_path / "zip").read_bytes()
    assert partial == ZIP[: len(partial)]


def test_wrong_content_range_is_rejected(server: CratesIoServer, client: HttpClient) -> None:
    server.faults["/dump.zip"] = [Fault(), Fault(skip=2)]
    with pytest.raises(BadInput, match=f"sent 'bytes 12-19/{len(ZIP)}', expected 'bytes 10-19/{len(ZIP)}'"):
        client.read_range(client.head(f"{server.url}/dump.zip"), 10, 20)


def test_flipped_bit_is_not_detected(server: CratesIoServer, client: HttpClient) -> None:
    """HTTP has no checksum: the reader of the bytes has to check their hash."""
    server.faults["/dump.zip"] = [Fault(), Fault(flip_at=105)]
    found = client.read_range(client.head(f"{server.url}/dump.zip"), 100, 110)
    assert found == ZIP[100:105] + bytes([ZIP[105] ^ 1]) + ZIP[106:110]


def test_larger_existing_file_is_left_unchanged(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(b"x" * 10)
    with pytest.raises(BadInput, match="has 10 bytes, expected at most 9"):
        client.download(client.head(f"{server.url}/dump.zip"), 0, 9, tmp_path / "zip", lambda _: None)
    assert (tmp_path / "zip").read_bytes() == b"x" * 10


def test_write_error_names_the_file(server: CratesIoServer, client: HttpClient, tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match=r"cannot write .*gone/zip"):
        client.download(client.head(f"{server.url}/dump.zip"), 0, 9, tmp_path / "gone" / "zip", lambda _: None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("busy", "answered 503"),
        ("hang", "timed out"),
        ("disconnect", "lost the connection"),
        ("restart", "lost the connection"),
    ],
)
def test_outage_raises_after_max_attempts(outages: dict[str, Future], name: str, reason: str) -> None:
    error, requests, *_ = outages[name].result()
    assert reason in str(error)
    assert str(error).endswith(f"after {MAX_ATTEMPTS} attempts: try again later")
    assert len(requests) == MAX_ATTEMPTS
    waits = gaps(requests)
    assert all(wait >= 0.5 * 2**n for n, wait in enumerate(waits))
    assert sum(waits) < 20


@pytest.mark.parametrize(
    ("name", "partial_bytes"), [("disconnect", 1000 * MAX_ATTEMPTS), ("restart", 2 * MIN_PROGRESS_BYTES)]
)
def test_outage_leaves_a_partial_file(outages: dict[str, Future], name: str, partial_bytes: int) -> None:
    _, _, partial, whole = outages[name].result()
    assert partial == ZIP[:partial_bytes]
    assert whole == ZIP


def test_refused_connection_raises(outages: dict[str, Future]) -> None:
    with pytest.raises(SourceUnreachable, match="no response"):
        outages["refused"].result()
