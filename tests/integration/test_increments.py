"""Between two dumps: changes in the index become events and fresh scores, once, as in the next dump."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster import DagsterInstance, RunRequest, SkipReason, build_sensor_context

from assets.features.steps import run_steps
from assets.partitions import LATEST
from assets.point_in_time import attach_registry
from assets.registry import events as events_module
from assets.table_build import BuildResult
from cli.runs import QUIET
from ml.targets import TARGETS
from pipeline_defs.build import Resources, build_defs, build_resources
from pipeline_defs.instance import register_snapshots
from pipeline_defs.sensors import crates_io_feeds
from resources.common.errors import BadInput
from resources.common.settings import Settings
from resources.crates_io import index as crates_io_index
from resources.tracking import MODEL_ID, Tracking
from resources.warehouse.session import set_variables
from resources.warehouse.table_store import Candidate
from testing.advisory_database import adds, row, write_repository
from testing.crates_io_server import CratesIoServer
from testing.dumps import SMALL_AT, Dump, small_dump, zip_bytes
from testing.fitted_models import model_of, register
from testing.index_of_dump import feeds, index_files, published, yanked
from testing.table_builds import build, build_registry, resources_of

BASE, TAKEN_AT = SMALL_AT[:10], datetime.fromisoformat(SMALL_AT[:19])
T1 = TAKEN_AT + timedelta(hours=8)  # the first look
LATER = "2026-11-21"
TABLES = (("events", BASE), ("fresh_features", LATEST), ("fresh_predictions", LATEST), ("scores", LATEST))
# what an event has from the snapshot, since the index does not say it
FROM_BASE = ["downloads_30d", "downloads_previous_30d"]
# what depends on a crate's build alone: nothing else than what it builds on can change it
OF_BUILD = [
    *("dependencies_outdated", "dependencies_unresolved", "transitive_dependencies", "tree_vulnerable"),
    *("tree_unmaintained", "tree_vulnerable_names", "tree_unmaintained_names", "default_version", "versions"),
]


def at(hours: float) -> datetime:
    """An instant in whole seconds, hours after the dump was taken."""
    return TAKEN_AT + timedelta(hours=hours)


@dataclass
class World:
    """One installation and the crates.io that it asks; `clock` is the time of its next look."""

    settings: Settings
    site: CratesIoServer
    clock: datetime = T1
    resources: Resources = field(init=False)

    def __post_init__(self) -> None:
        self.resources = resources_of(self.settings)

    def serve(self, dump: Dump) -> None:
        """Makes the index and the feeds those of a dump."""
        self.site.files = {**index_files(dump), **feeds(dump, TAKEN_AT)}

    def refresh(self) -> dict[str, BuildResult]:
        """What the job does."""
        return {table: build(table, key, self.resources) for table, key in TABLES}

    def rows(self, table: str, key: str = LATEST) -> pa.Table:
        return pq.read_table(self.resources.store.require(table, key).path)

    def by_crate(self, table: str) -> dict[str, dict]:
        return {r["crate"]: r for r in self.rows(table).to_pylist()}

    def bytes(self) -> dict[str, str]:
        """The hash of every table."""
        return {f"{t} {p.key}": p.sha256 for t, found in self.resources.store.tables().items() for p in found}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The small dump loaded, a champion of each target, features, predictions and scores of its date."""
    folder = tmp_path_factory.mktemp("installation")
    advisory_db = write_repository(
        folder / "advisory-db",
        [adds([row("RUSTSEC-2024-0001", "birch-sys", informational="unmaintained")], datetime(2024, 6, 1))],
    )
    (folder / "dump.zip").write_bytes(zip_bytes(small_dump(), "2026-08", SMALL_AT))
    settings = replace(
        Settings.from_env(),
        data=folder / "data",
        source="crates.io",
        dump=str(folder / "dump.zip"),
        advisory_db=str(advisory_db),
        contact="tests@example.org",
        threads=2,
    )
    resources = resources_of(settings)
    build_registry(resources, BASE)
    for table in ("texts", "features"):
        build(table, BASE, resources)
    crown(resources.tracking)
    build("predictions", BASE, resources)
    build("scores", LATEST, resources)
    return settings


def crown(tracking: Tracking) -> None:
    """A champion of each target, of made-up crates."""
    for target in TARGETS:
        model = model_of(target)
        tags = {MODEL_ID: model.digest(), "base_rate": "0.1", "test_as_of": "2026-01-01"}
        register(tracking, target.name, model, tags)


@pytest.fixture
def world(installation: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A copy of the installation, beside a crates.io that is as the dump says."""
    shutil.copytree(installation.data, tmp_path / "data")
    with CratesIoServer() as site:
        settings = replace(installation, data=tmp_path / "data", static_url=site.url, index_url=site.url)
        made = World(settings, site)
        monkeypatch.setattr(crates_io_index, "now", lambda: made.clock)
        made.serve(small_dump())
        yield made


def changed() -> Dump:
    """A day at crates.io: new versions, new crates that lean on one another, a yank, and one undone."""
    dump = published(small_dump(), "fir", "0.4.0", at(1), [("alder", "^1.0.1", {"optional": True}), ("gorse", "*", {})])
    dump = published(dump, "katsura", "0.1.0", at(2), [("birch-sys", "^0.2", {"kind": 1})])
    dump = published(
        dump, "lime-wood", "1.0.0", at(3), [("katsura", "0.1", {"explicit_name": "k"}), ("fir", "^0.4", {})]
    )
    dump = published(dump, "birch-sys", "0.3.0", at(4), [("cedar", "^1", {"kind": 2, "target": "cfg(unix)"})])
    dump = yanked(dump, "cedar", "0.2.0", at(5))
    return yanked(dump, "alder", "2.0.0", at(6), undone=True)


def shown(events: pa.Table) -> list[tuple]:
    return [(e["crate"], e["num"], e["kind"], e["occurred_at"]) for e in events.to_pylist()]


def test_changes_become_events_and_fresh_scores(world: World) -> None:
    before = world.by_crate("scores")
    world.serve(changed())
    world.refresh()
    assert shown(world.rows("events", BASE)) == [
        ("alder", "2.0.0", "unyank", T1),
        ("birch_sys", "0.3.0", "publish", at(4)),
        ("cedar", "0.2.0", "yank", T1),
        ("fir", "0.4.0", "publish", at(1)),
        ("katsura", "0.1.0", "publish", at(2)),
        ("lime_wood", "1.0.0", "publish", at(3)),
    ]
    after = world.by_crate("scores")
    assert set(after) - set(before) == {"katsura", "lime_wood"}
    assert after["lime_wood"]["name"] == "lime-wood"
    assert (before["fir"]["default_version"], after["fir"]["default_version"]) == ("0.3.0", "0.4.0")
    # elm-cli requires cedar ^0.1 and ^0.2, and no such version is left
    assert any("without a matching version" in f for f in after["elm_cli"]["findings"])
    assert after["fir"]["maintenance"] != before["fir"]["maintenance"]
    refreshed = {crate for crate, score in after.items() if score["refreshed_at"]}
    assert refreshed == set(world.by_crate("fresh_features"))
    assert {"alder", "elm_cli", "juniper_tree", "hazel", "ivy"} <= refreshed  # touched, or builds on what was
    assert {after[crate]["refreshed_at"] for crate in refreshed} == {T1}
    unchanged = set(before) - refreshed
    assert unchanged == {"alder_derive", "gorse"}  # nothing touched is in any of their builds
    assert {crate: after[crate] for crate in unchanged} == {crate: before[crate] for crate in unchanged}


def features_at(resources: Resources, snapshot: str, instant: datetime) -> dict[str, dict]:
    """Features of every crate by a snapshot, as of any instant."""
    with resources.sessions.open() as con:
        attach_registry(con, resources.store, snapshot)
        set_variables(con, as_of="2026-11-21", known_at=instant)
        return {r["crate"]: r for r in run_steps(con).to_pylist()}


def test_fresh_features_equal_those_of_the_next_dump(world: World, tmp_path: Path) -> None:
    """Every column of every fresh row, and no crate left out whose build changed."""
    world.serve(changed())
    world.refresh()
    (tmp_path / "next.zip").write_bytes(zip_bytes(changed(), "2026-08", f"{LATER}T02:15:07.0Z"))
    next_tools = resources_of(replace(world.settings, data=tmp_path / "next", dump=str(tmp_path / "next.zip")))
    build_registry(next_tools, LATER)
    by_dump = features_at(next_tools, LATER, T1)
    fresh = world.by_crate("fresh_features")
    assert "katsura" in fresh
    for crate, found in fresh.items():
        # the dump forgets when an undone yank was made
        left_out = {*FROM_BASE, "refreshed_at", *(["yanks_90d_min"] if crate == "alder" else [])}
        assert {k: v for k, v in found.items() if k not in left_out} == {
            k: v for k, v in by_dump[crate].items() if k not in left_out
        }, crate
    by_base = features_at(world.resources, BASE, T1)
    for crate in set(by_dump) - set(fresh):
        assert {k: by_dump[crate][k] for k in OF_BUILD} == {k: by_base[crate][k] for k in OF_BUILD}, crate


def test_unchanged_index_changes_nothing_and_is_not_sent_again(world: World) -> None:
    world.serve(changed())
    world.refresh()
    before = world.bytes()
    sent = {path: world.site.bytes_sent(path) for path in world.site.files}
    world.clock += timedelta(hours=1)
    again = world.refresh()
    assert world.bytes() == before
    assert {path: world.site.bytes_sent(path) for path in world.site.files} == sent
    assert len(world.site.requests_for("/fi/r0/fir")) == 0
    assert [len(world.site.requests_for(path)) for path in ("/3/f/fir", "/ka/ts/katsura", "/rss/updates.xml")] == [
        2,
        2,
        2,
    ]
    assert again["events"].context.metrics["files_fetched"] == 0


def test_no_events_change_no_score(world: World) -> None:
    before = world.by_crate("scores")
    world.refresh()
    assert world.rows("events", BASE).num_rows == world.rows("fresh_predictions").num_rows == 0
    assert world.by_crate("scores") == before


def test_yank_and_unyank_are_two_events(world: World) -> None:
    dump = yanked(small_dump(), "cedar", "1.0.0", at(1))
    world.serve(dump)
    world.refresh()
    assert world.by_crate("scores")["cedar"]["default_version"] == "0.2.0"
    world.clock += timedelta(hours=1)
    world.serve(yanked(dump, "cedar", "1.0.0", at(9), undone=True))
    world.refresh()
    assert shown(world.rows("events", BASE)) == [
        ("cedar", "1.0.0", "yank", T1),
        ("cedar", "1.0.0", "unyank", T1 + timedelta(hours=1)),
    ]
    assert world.by_crate("scores")["cedar"]["default_version"] == "1.0.0"
    assert world.by_crate("fresh_features")["cedar"]["yanks_90d_min"] == 1


def test_crate_missing_from_the_feeds_is_found_through_its_dependents(world: World) -> None:
    dump = changed()
    world.serve(dump)
    without = {**dump, "crates": [c for c in dump["crates"] if c["name"] != "katsura"]}
    ids = {c["id"] for c in without["crates"]}
    without["versions"] = [v for v in dump["versions"] if v["crate_id"] in ids]
    world.site.files |= feeds(without, TAKEN_AT)
    build("events", BASE, world.resources)
    assert ("katsura", "0.1.0", "publish", at(2)) in shown(world.rows("events", BASE))


def test_percentiles_and_evidence_refer_to_all_crates(world: World) -> None:
    """A fresh prediction has its percentile among all crates, and evidence relative to the same average crate."""
    world.serve(yanked(small_dump(), "dogwood", "0.1.0", at(6), undone=True))
    world.refresh()
    daily = {(p["crate"], p["target"]): p for p in world.rows("predictions", BASE).to_pylist()}
    fresh = world.rows("fresh_predictions").to_pylist()
    assert {p["target"] for p in fresh} == {t.name for t in TARGETS}
    for prediction in fresh:
        heights = [height(p) for p in daily.values() if p["target"] == prediction["target"]]
        lower = sum(h < height(prediction) for h in heights)
        assert prediction["percentile"] == pytest.approx(min(1, lower / (len(heights) - 1)))
        old = daily[prediction["crate"], prediction["target"]]
        effects, old_effects = (sum(e["effect"] for e in p["evidence"]) for p in (prediction, old))
        assert effects - old_effects == pytest.approx(amount(prediction) - amount(old))


def height(prediction: dict) -> float:
    """The value that crates are ranked by; higher is better."""
    return prediction["worst"] if prediction["is_good"] else -prediction["worst"]


def amount(prediction: dict) -> float:
    """The sum of the effects: expected events of a build, their logarithm for a crate, or log-odds."""
    probability = prediction["probability"]
    events = -np.log1p(-probability)
    if prediction["target"] == "dependency_health":
        return events
    return np.log(events) if prediction["target"] == "security" else np.log(probability / (1 - probability))


def test_invalid_lines_and_missing_crates_are_reported(world: World, caplog: pytest.LogCaptureFixture) -> None:
    dump = changed()
    world.serve(dump)
    fir = index_files(dump)["/3/f/fir"]
    world.site.files["/3/f/fir"] = fir + b'{"name":"fir"}\n<html>\n' + fir.splitlines()[-1].replace(b"0.4.0", b"1.x")
    del world.site.files["/ka/ts/katsura"]
    found = world.refresh()["events"].context
    assert (found.metrics["rejected_lines"], found.metrics["crates_missing"]) == (2, 1)
    assert found.notes["first_rejected_line"] == "fir, line 5: vers is missing"
    assert "the index does not have katsura" in caplog.text
    crates = {crate for crate, *_ in shown(world.rows("events", BASE))}
    assert "katsura" not in crates
    assert "lime_wood" in world.by_crate("scores")
    world.clock += timedelta(hours=1)
    world.serve(dump)  # it was only late
    world.refresh()
    assert "katsura" in world.by_crate("scores")


def test_gap_in_the_feeds_is_reported(world: World) -> None:
    """What was published before the feed begins, and since it was read last, may be missing."""
    dump = published(small_dump(), "fir", "0.4.0", at(1))
    world.serve(dump)
    assert "hours_not_in_feeds" not in build("events", BASE, world.resources).context.metrics
    late = published(dump, "gorse", "0.2.0", at(7))
    item = feeds(late, at(6))["/rss/updates.xml"]
    oldest = item.rindex(b"<item>")
    world.clock += timedelta(hours=1)
    world.site.files |= index_files(late) | {"/rss/updates.xml": item[:oldest] + b"</channel></rss>"}
    assert build("events", BASE, world.resources).context.metrics["hours_not_in_feeds"] == 7


def test_next_run_completes_after_a_kill_at_any_table(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Killed at each table in turn: the tables can be read after each kill, and the result is as without one."""
    shutil.copytree(world.settings.data, tmp_path / "undisturbed")
    undisturbed = World(replace(world.settings, data=tmp_path / "undisturbed"), world.site)
    world.serve(changed())
    undisturbed.refresh()
    publish = Candidate.publish
    for table, _ in TABLES:

        def kill(candidate: Candidate, origin: str | None = None, table: str = table) -> Any:
            if candidate.table.name == table:
                raise KeyboardInterrupt
            return publish(candidate, origin)

        monkeypatch.setattr(Candidate, "publish", kill)
        with pytest.raises(KeyboardInterrupt):
            world.refresh()
        monkeypatch.setattr(Candidate, "publish", publish)
        build("scores", LATEST, world.resources)
        world.clock += timedelta(hours=table != "events")
    world.refresh()
    assert world.bytes() == undisturbed.bytes()


def test_newer_snapshot_starts_without_events(world: World, tmp_path: Path) -> None:
    """Fresh rows of the previous snapshot change nothing; the index reports what was published after the new one."""
    world.serve(changed())
    world.refresh()
    (tmp_path / "next.zip").write_bytes(zip_bytes(changed(), "2026-08", f"{LATER}T02:15:07.0Z"))
    loaded = World(replace(world.settings, dump=str(tmp_path / "next.zip")), world.site)
    build_registry(loaded.resources, LATER)
    for table in ("texts", "features", "predictions"):
        build(table, LATER, loaded.resources)
    build("scores", LATEST, loaded.resources)
    assert {s["refreshed_at"] for s in loaded.by_crate("scores").values()} == {None}
    with pytest.raises(BadInput, match="newest snapshot"):
        build("events", BASE, loaded.resources)
    world.clock = datetime(2026, 11, 21, 9)
    loaded.serve(yanked(changed(), "fir", "0.4.0", datetime(2026, 11, 21, 8)))
    build("events", LATER, loaded.resources)
    assert shown(loaded.rows("events", LATER)) == [("fir", "0.4.0", "yank", world.clock)]


def test_invalid_item_is_reported_and_the_others_are_used(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.serve(changed())
    broken = feeds(changed(), TAKEN_AT)["/rss/updates.xml"].replace(b">lime-wood<", b">../wood<")
    world.site.files["/rss/updates.xml"] = broken
    build("events", BASE, world.resources)
    assert "item 2 of a feed is skipped: crates:name is '../wood'" in caplog.text
    assert "birch_sys" in {crate for crate, *_ in shown(world.rows("events", BASE))}


def test_crates_with_the_most_dependents_are_always_requested(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A yank is in no feed: that of alder, which has the most dependents, is seen; that of ivy is not."""
    monkeypatch.setattr(events_module, "ALWAYS_REQUESTED", 1)
    world.serve(yanked(yanked(small_dump(), "alder", "2.0.1", at(1)), "ivy", "0.1.1", at(1)))
    build("events", BASE, world.resources)
    assert shown(world.rows("events", BASE)) == [("alder", "2.0.1", "yank", T1)]


def test_invalid_feed_changes_nothing(world: World) -> None:
    before = world.bytes()
    world.site.files["/rss/updates.xml"] = b"<!doctype html><title>Sign in</title>"
    with pytest.raises(BadInput, match=r"rss/updates.xml: the feed .*read the feed again"):
        world.refresh()
    assert world.bytes() == before


def test_bundled_registry_has_no_events(small_registry: Path, tmp_path: Path) -> None:
    bundled = resources_of(replace(Settings.from_env(), data=tmp_path, registry=small_registry))
    with pytest.raises(BadInput, match=r"set CRATES_SOURCE=crates\.io"):
        build("events", "2020-07-20", bundled)


def evaluate(settings: Settings, cursor: str | None = None) -> RunRequest | SkipReason:
    """The result of one evaluation of the sensor."""
    resources = {name: getattr(build_resources(settings), name) for name in ("source", "store", "sessions", "index")}
    with (
        DagsterInstance.ephemeral() as instance,
        build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context,
    ):
        request = crates_io_feeds(context)
    assert isinstance(request, RunRequest | SkipReason)
    return request


def reason(request: RunRequest | SkipReason) -> str:
    assert isinstance(request, SkipReason)
    return request.skip_message or ""


def test_sensor_requests_one_run_per_state_of_the_feeds(world: World) -> None:
    assert "no crate that changed" in reason(evaluate(world.settings))
    world.serve(changed())
    first = evaluate(world.settings)
    assert isinstance(first, RunRequest)
    assert first.partition_key == BASE
    assert first.run_key
    assert "no crate that changed" in reason(evaluate(world.settings, cursor=first.run_key))
    assert world.site.requests[-1].headers["If-None-Match"]
    world.serve(published(changed(), "fir", "0.4.1", at(7)))
    second = evaluate(world.settings, cursor=first.run_key)
    assert isinstance(second, RunRequest)
    assert second.run_key != first.run_key


def test_sensor_skips_with_a_reason(world: World, small_registry: Path, tmp_path: Path) -> None:
    bundled = replace(world.settings, source="bundled", registry=small_registry)
    assert "CRATES_SOURCE=crates.io" in reason(evaluate(bundled))
    assert "no snapshot" in reason(evaluate(replace(world.settings, data=tmp_path / "empty")))
    assert "CRATES_CONTACT" in reason(evaluate(replace(world.settings, contact="")))
    world.site.files["/rss/crates.xml"] = b"\x00"
    assert "rss/crates.xml" in reason(evaluate(world.settings))
    shutil.rmtree(world.settings.warehouse / "predictions")
    assert "there are no predictions yet" in reason(evaluate(world.settings))


def test_job_runs_for_the_partition_of_the_sensor(world: World) -> None:
    world.serve(changed())
    with DagsterInstance.ephemeral() as instance:
        register_snapshots(instance, [BASE])
        job = build_defs(world.settings).resolve_job_def("refresh_touched")
        result = job.execute_in_process(instance=instance, partition_key=BASE, run_config=QUIET)
    assert result.success
    checks = result.get_asset_check_evaluations()
    assert checks
    assert all(check.passed for check in checks)
    assert world.by_crate("scores")["fir"]["as_of"] == date(2026, 11, 21)
