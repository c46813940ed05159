"""`features[T]` from today's dump equals that from the dump of T, so no later fact changes a byte of it.

Except for facts that a dump does not retain: undone yanks, removed owners and deleted crates.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.common.settings import Settings
from testing.advisory_database import adds, row, write_repository
from testing.crates_io_server import CratesIoServer
from testing.dumps import CRATES, SMALL_AT, Dump, small_dump, zip_bytes
from testing.fuzzing import times
from testing.table_builds import build, build_registry, resources_of

NEWEST = date.fromisoformat(SMALL_AT[:10])
FIRST = date(2019, 1, 1)
DOWNLOADS = ["downloads_30d", "downloads_previous_30d"]
# the 90 days of the dump cover both windows
FROM_DUMP_ALONE = NEWEST - timedelta(days=29)


@pytest.fixture(scope="module")
def advisory_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two advisories: one is revised later, the other withdrawn."""
    first = row("RUSTSEC-2021-0001", "alder", patched=[">= 1.2.0"])
    second = row("RUSTSEC-2024-0002", "birch-sys", informational="unmaintained")
    return write_repository(
        tmp_path_factory.mktemp("advisories") / "db",
        [
            adds([first], datetime(2021, 2, 1)),
            adds([{**first, "patched": [">= 2.0.0"]}], datetime(2023, 5, 1)),
            adds([second], datetime(2024, 6, 1)),
            adds([{**second, "withdrawn": date(2026, 1, 5)}], datetime(2026, 1, 6)),
        ],
    )


def dump_as_of(dump: Dump, day: date) -> Dump:
    """The dump at the beginning of `day`: without later rows and yanks."""
    at = datetime.combine(day, datetime.min.time())
    versions = [
        v if v["updated_at"] < at else {**v, "yanked": False, "updated_at": v["created_at"]}
        for v in dump["versions"]
        if v["created_at"] < at
    ]
    ids = {v["id"] for v in versions}
    crates = {v["crate_id"] for v in versions}
    return {
        **dump,
        "crates": [c for c in dump["crates"] if c["id"] in crates],
        "versions": versions,
        "dependencies": [d for d in dump["dependencies"] if d["version_id"] in ids and d["crate_id"] in crates],
        "crate_owners": [o for o in dump["crate_owners"] if o["crate_id"] in crates and o["created_at"] < at],
        "version_downloads": [d for d in dump["version_downloads"] if d["version_id"] in ids and d["date"] <= day],
    }


def features(folder: Path, dump: Dump, stamp: str, as_of: date, advisory_db: Path, **live: object) -> pa.Table:
    """`features[as_of]` from a dump made at `stamp`."""
    (folder / "dump.zip").write_bytes(zip_bytes(dump, "2026-08", stamp))
    defaults = Settings.from_env()
    resources = resources_of(
        replace(
            defaults,
            data=folder / "data",
            source="crates.io",
            dump=str(folder / "dump.zip"),
            advisory_db=str(advisory_db),
            threads=2,
            **live,
        )
    )
    build_registry(resources, stamp[:10])
    return build("features", as_of.isoformat(), resources).rows


@st.composite
def worlds(draw: st.DrawFn) -> tuple[date, Dump]:
    """A date T, and the small dump with additional random facts that are dated T or later."""
    day = draw(st.dates(FIRST, NEWEST - timedelta(days=1)))
    dump = small_dump()
    midnight = datetime.combine(day, datetime.min.time())
    # the dump does not retain undone yanks
    for version in dump["versions"]:
        if not version["yanked"]:
            version["updated_at"] = version["created_at"]
    dump["versions"] += list(_later_versions(draw, dump, midnight))
    for version in draw(st.lists(st.sampled_from(dump["versions"]), max_size=3, unique_by=lambda v: v["id"])):
        if not version["yanked"]:
            version |= {"yanked": True, "updated_at": _moment(draw, midnight)}
    for owner in draw(st.lists(st.sampled_from(dump["crate_owners"]), max_size=2, unique_by=lambda o: o["crate_id"])):
        dump["crate_owners"].append(
            {**owner, "owner_id": 900 + owner["crate_id"], "created_at": _moment(draw, midnight)}
        )
    return day, dump


def _later_versions(draw: st.DrawFn, dump: Dump, midnight: datetime) -> Iterator[dict]:
    """New versions of existing crates, with one dependency each."""
    for number, template in enumerate(draw(st.lists(st.sampled_from(dump["versions"]), max_size=3))):
        at = _moment(draw, midnight)
        num = f"{draw(st.integers(3, 9))}.{number}.0"
        dump["dependencies"].append({**dump["dependencies"][0], "id": 9000 + number, "version_id": 900 + number})
        yield {
            **template,
            "id": 900 + number,
            "num": num,
            "num_no_build": num,
            "created_at": at,
            "updated_at": at,
            "yanked": False,
        }


def _moment(draw: st.DrawFn, midnight: datetime) -> datetime:
    end = datetime.combine(NEWEST, datetime.min.time())
    return midnight + timedelta(seconds=draw(st.integers(0, int((end - midnight).total_seconds()))))


@settings(
    max_examples=times(4),
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(world=worlds())
def test_features_equal_those_from_the_dump_of_their_day(world: tuple[date, Dump], advisory_db: Path) -> None:
    day, dump = world
    with TemporaryDirectory() as then, TemporaryDirectory() as now:
        earlier = dump_as_of(dump, day)
        before = features(Path(then), earlier, f"{day}T02:15:07.1Z", day, advisory_db)
        after = features(Path(now), dump, SMALL_AT, day, advisory_db)
    if day < FROM_DUMP_ALONE:
        before, after = before.drop_columns(DOWNLOADS), after.drop_columns(DOWNLOADS)
    assert before.equals(after)


def test_owner_counts_from_the_day_after_they_were_added(tmp_path: Path, advisory_db: Path) -> None:
    day = NEWEST - timedelta(days=30)
    midnight = datetime.combine(day, datetime.min.time())

    def owners(name: str, *added: datetime) -> list[int]:
        """Per crate, with another owner of one crate added at each of these times."""
        dump, folder = small_dump(), tmp_path / name
        folder.mkdir()
        owner = dump["crate_owners"][0]
        dump["crate_owners"] += [{**owner, "owner_id": 900, "created_at": at} for at in added]
        return features(folder, dump, SMALL_AT, day, advisory_db)["owners_min"].to_pylist()

    before = owners("before")
    assert owners("on the day", midnight) == before
    assert sum(owners("the day before", midnight - timedelta(days=1))) == sum(before) + 1


def test_downloads_of_a_past_date_come_from_the_archive(tmp_path: Path, advisory_db: Path) -> None:
    """The days of the archive and of the dump give one series: no gap, and no duplicate of the day that is in both."""
    dump = small_dump()
    day = NEWEST - timedelta(days=30)
    series = {
        (d, v["id"]): 10 + (d.toordinal() + v["id"]) % 7
        for v in dump["versions"]
        for d in (NEWEST - timedelta(days=n) for n in range(150))
    }
    dump["version_downloads"] = [
        {"date": d, "version_id": v, "downloads": n} for (d, v), n in series.items() if d >= NEWEST - timedelta(days=90)
    ]
    files = {}
    for d in sorted({d for d, _ in series if d <= NEWEST - timedelta(days=90)}):
        lines = [f"{v},{n}" for (at, v), n in series.items() if at == d]
        files[f"/archive/version-downloads/{d}.csv"] = ("version_id,downloads\n" + "\n".join(lines) + "\n").encode()
    index = [f'{{"name":"{Path(path).name}","size":{len(body)}}}' for path, body in reversed(files.items())]
    files["/archive/version-downloads/index.json"] = f"[{','.join(index)}]".encode()
    with CratesIoServer(files) as server:
        live = {"contact": "tests@example.org", "static_url": server.url, "history_days": 40}
        found = features(tmp_path, dump, SMALL_AT, day, advisory_db, **live)
        assert len(server.requests) == 1 + 41, "the index, the 40 earlier days and the day that is in both"
    known = {v["id"]: v["crate_id"] for v in dump["versions"] if v["created_at"].date() < day}
    names = {i: name for name, i in CRATES.items()}
    for crate, now, before in zip(*(found[c].to_pylist() for c in ("name", *DOWNLOADS)), strict=True):
        of = [v for v, c in known.items() if names[c] == crate]
        sums = [
            sum(series[day - timedelta(days=n), v] for n in days for v in of) for days in (range(1, 31), range(31, 61))
        ]
        assert [now, before] == sums, crate
