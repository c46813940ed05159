"""`make ui` as a user meets it: the server and daemon that the command starts, and its pages in a headless browser."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect, sync_playwright

from assets.preview import ROWS
from assets.schemas import TABLES
from cli.demo import AS_OF
from pipeline_defs.schedules import SCHEDULES
from resources.common.settings import PROJECT, Settings
from resources.warehouse import contracts

FEATURES = TABLES["features"]
# DESIGN.md's picture, from left to right; the other tables are held to their edges
FLOW = (
    ("registry_source",),
    ("snapshots",),
    ("crates", "versions", "yanks", "dependencies", "advisories"),
    ("features", "labels"),
    ("predictor", "backtests"),
    ("predictions",),
    ("scores",),
)
BESIDE = (
    "advisory_source",
    "owners",
    "downloads",
    "texts",
    "enrichments",
    "quarantine",
    "retained_snapshots",
    "events",
    "culprits",
    "drift",
)
FRESH = ("fresh_features", "fresh_predictions")
ASSETS = {name for column in FLOW for name in column} | {*BESIDE, *FRESH}
START_SECONDS, PAGE_SECONDS, STOP_SECONDS = 120, 40, 15
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)
PICTURE = """nodes => nodes.map(node => {
    const box = node.getBoundingClientRect()
    return [node.firstElementChild.innerText.split("\\n")[0].trim(), [box.left, box.right]]
})"""
IS_DRAWN = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(byte => byte)"


@dataclass(frozen=True)
class Ui:
    """A running `make ui`."""

    url: str
    settings: Settings
    home: Path

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer to a GraphQL query. Raises OSError while the server does not answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as response:
            return json.load(response)["data"]


def wait_until(ready: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, what()
        time.sleep(0.5)


def is_loaded(ui: Ui) -> bool:
    query = """{ workspaceOrError { ... on Workspace { locationEntries {
        loadStatus locationOrLoadError { __typename } } } } }"""
    try:
        entries = ui.ask(query)["workspaceOrError"]["locationEntries"]
    except OSError:
        return False
    loaded = bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)
    assert not loaded or [e["locationOrLoadError"]["__typename"] for e in entries] == ["RepositoryLocation"], entries
    return loaded


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stop(process: subprocess.Popen) -> None:
    """Ctrl-C for the whole group; then what is left of it, and of its children, is killed."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    psutil.wait_procs(family, timeout=STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait(STOP_SECONDS)


@pytest.fixture(scope="module")
def ui(demo: tuple[Settings, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """What `make ui` starts, on the demo's data, with an empty home folder."""
    folder = tmp_path_factory.mktemp("ui")
    running = Ui(f"http://127.0.0.1:{free_port()}", demo[0], folder / "home")
    running.home.mkdir()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # as the Makefile sets it
        "HOME": str(running.home),
        "CRATES_DATA": str(running.settings.data),
        "CRATES_REGISTRY": str(running.settings.registry),
    }
    command = [sys.executable, "-m", "cli.main", "ui", "--port", running.url.rpartition(":")[2]]
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_until(lambda: process.poll() is not None or is_loaded(running), START_SECONDS, log.read_text)
        assert process.poll() is None, log.read_text()
        yield running
    finally:
        stop(process)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is on PATH")
    home = tmp_path_factory.mktemp("browser")
    folders = {name: str(home) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            home / "profile",
            executable_path=chromium,
            args=FLAGS,
            env={**os.environ, **folders},
            viewport={"width": 1920, "height": 2400},  # what does not fit is not drawn,
        )
        context.set_default_timeout(PAGE_SECONDS * 1000)
        expect.set_options(timeout=PAGE_SECONDS * 1000)
        yield context
        context.close()


@pytest.fixture
def page(ui: Ui, browser: BrowserContext, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Page]:
    """A new page; if the test fails, what it showed is in the test's folder. It may load nothing from elsewhere."""
    failed_before = request.session.testsfailed
    shown = browser.new_page()
    asked: list[str] = []
    shown.on("request", lambda r: asked.append(r.url))
    yield shown
    if request.session.testsfailed > failed_before:
        shown.screenshot(path=tmp_path / "page.png")
        print(f"the page as it was: {tmp_path / 'page.png'}")
    shown.close()
    assert [url for url in asked if not url.startswith((ui.url, "blob:", "data:"))] == []


def places(page: Page) -> dict[str, tuple[float, float]]:
    """Left and right edge of every box of the lineage on the screen, all at one moment."""
    return dict(page.locator("foreignObject").evaluate_all(PICTURE))


def assert_left_to_right(at: dict[str, tuple[float, float]], before: str, after: str) -> None:
    assert at[before][1] <= at[after][0], f"{before} is not left of {after}: {at[before]}, {at[after]}"


def row_of(page: Page, heading: str) -> Locator:
    """The rows of tables with a cell that says exactly this."""
    return page.get_by_role("row").filter(has=page.get_by_role("cell").get_by_text(heading, exact=True))


def open_features(page: Page, ui: Ui, view: str) -> None:
    page.goto(f"{ui.url}/assets/features?view={view}")
    expect(page.get_by_role("tab", name="Overview")).to_be_visible()


def test_daemon_is_healthy(ui: Ui) -> None:
    """Without it schedules, queue and backfills do nothing, and say nothing."""
    query = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"

    def unhealthy() -> list[str]:
        found = ui.ask(query)["instance"]["daemonHealth"]["allDaemonStatuses"]
        assert {"SCHEDULER", "QUEUED_RUN_COORDINATOR", "BACKFILL"} <= {d["daemonType"] for d in found if d["required"]}
        return [d["daemonType"] for d in found if d["required"] and not d["healthy"]]

    wait_until(lambda: not unhealthy(), START_SECONDS, lambda: f"not healthy: {unhealthy()}")


def test_schedules_are_listed(ui: Ui) -> None:
    query = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
        ... on RepositoryLocation { repositories { schedules { name cronSchedule } } } } } } } }"""
    (location,) = ui.ask(query)["workspaceOrError"]["locationEntries"]
    (repository,) = location["locationOrLoadError"]["repositories"]
    listed = {schedule["name"]: schedule["cronSchedule"] for schedule in repository["schedules"]}
    assert listed == {schedule.name: schedule.cron_schedule for schedule in SCHEDULES}
    assert len(listed) == 4


def test_lineage_reads_left_to_right(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/asset-groups")
    wait_until(lambda: "marts" in places(page), PAGE_SECONDS, lambda: f"no groups, only {places(page)}")
    groups = places(page)
    for before, after in pairwise(("registry", "features", "predictions", "marts")):
        assert_left_to_right(groups, before, after)

    page.keyboard.press("Alt+e")  # expands all groups
    wait_until(lambda: places(page).keys() >= ASSETS, PAGE_SECONDS, lambda: f"missing {ASSETS - places(page).keys()}")
    assets = places(page)
    for left, right in pairwise(FLOW):
        for before in left:
            for after in right:
                assert_left_to_right(assets, before, after)
    nodes = ui.ask("{ assetNodes { assetKey { path } dependencyKeys { path } } }")["assetNodes"]
    assert {node["assetKey"]["path"][0] for node in nodes} >= ASSETS
    for node in nodes:
        for dependency in node["dependencyKeys"]:
            assert_left_to_right(assets, dependency["path"][0], node["assetKey"]["path"][0])


def test_asset_page_explains_the_table(ui: Ui, page: Page) -> None:
    open_features(page, ui, "overview")
    expect(page.get_by_text(FEATURES.grain)).to_be_visible()
    expect(page.get_by_text("Leak-proof: adding or removing facts")).to_be_visible()
    for kind in ("DuckDB", "Parquet", "SQL"):
        expect(page.get_by_text(kind, exact=True).first).to_be_visible()
    for heading, value in (("Group", "features"), ("Owners", "crates"), ("Storage", "catalog.main.features")):
        expect(page.get_by_text(heading, exact=True).locator("xpath=..")).to_contain_text(value)
    for column in FEATURES.columns:
        row = row_of(page, column.name).first
        expect(row).to_contain_text(column.type)
        expect(row).to_contain_text(column.text)


def test_asset_page_shows_rows_and_their_number(ui: Ui, page: Page) -> None:
    open_features(page, ui, "overview")
    with duckdb.connect(str(ui.settings.catalog), read_only=True) as con:
        newest = con.sql(f"from features where as_of = '{AS_OF[-1]}' order by crate")
        count, first = len(newest), newest.limit(ROWS).project("name").fetchall()
    expect(page.get_by_text(f"{count:,}", exact=True)).to_be_visible()
    preview = row_of(page, "preview").get_by_role("table")
    expect(preview.get_by_role("columnheader", name="default_version")).to_be_visible()
    expect(preview.locator("tbody tr")).to_have_count(ROWS)
    for row, (name,) in enumerate(first):
        expect(preview.locator("tbody tr").nth(row).get_by_role("cell", name=name, exact=True).first).to_be_visible()


def test_rows_and_bytes_are_plotted(ui: Ui, page: Page) -> None:
    """Over partitions, as the page opens."""
    open_features(page, ui, "overview")
    page.get_by_role("button", name="Plots").click()
    for number in ("dagster/row_count", "bytes"):
        plot = page.get_by_text(number, exact=True).locator("xpath=following::canvas[1]")
        expect(plot).to_be_visible()
        wait_until(partial(plot.evaluate, IS_DRAWN), PAGE_SECONDS, partial("{}: an empty plot".format, number))

    query = """query ($partitions: [String!]!) { assetNodeOrError(assetKey: {path: ["features"]}) { ... on AssetNode {
        latestMaterializationByPartition(partitions: $partitions) {
            partition metadataEntries { label ... on IntMetadataEntry { intValue } } } } } }"""
    events = ui.ask(query, partitions=AS_OF)["assetNodeOrError"]["latestMaterializationByPartition"]
    assert [event["partition"] for event in events] == list(AS_OF)
    for number in ("dagster/row_count", "bytes"):
        series = [e["intValue"] for event in events for e in event["metadataEntries"] if e["label"] == number]
        assert len(series) == len(AS_OF)
        assert series == sorted(series)


def test_partitions_are_listed(ui: Ui, page: Page) -> None:
    open_features(page, ui, f"partitions&partition={AS_OF[-1]}")
    expect(page.get_by_text(f"Materialized ({len(AS_OF)})")).to_be_visible()
    expect(page.get_by_text("Failed (0)")).to_be_visible()
    for entry in ("dagster/row_count", "bytes", "preview"):
        expect(row_of(page, entry).first).to_be_visible()


def test_checks_have_passed(ui: Ui, page: Page) -> None:
    open_features(page, ui, "checks")
    names = contracts.names(FEATURES)
    assert names
    expect(page.get_by_text(f"Checks ({len(names)})")).to_be_visible()
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(len(names))
    for name in names:
        page.get_by_text(name, exact=True).first.click()
        expect(page.get_by_text("This is a blocking asset check.")).to_be_visible()
        expect(page.get_by_text("Passed", exact=True).first).to_be_visible()


def test_nothing_is_written_at_home_and_nobody_is_told(ui: Ui) -> None:
    assert list(ui.home.iterdir()) == []
    told = [ui.settings.dagster_home / name for name in (".telemetry", "logs", ".logs_queue")]
    assert [path for folder in told for path in folder.rglob("*")] == []
