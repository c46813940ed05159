"""A warehouse of a few hand-written crates: what the commands read, in milliseconds and without a run."""

from datetime import date, datetime
from typing import Any

import pyarrow as pa

from assets.schemas import TABLES
from ml.targets import TARGETS
from resources.common.settings import Settings
from resources.warehouse.catalog import Catalog
from resources.warehouse.schema import Column
from resources.warehouse.table_store import TableStore

AS_OF = "2026-11-20"
DAY = date.fromisoformat(AS_OF)
HOSTILE = "\x1b[31mred\x1b[0m\x07 [bold]markup[/bold] → ünïcode"  # a description that tries to steer a terminal
EMPTY: dict[str, Any] = {
    "string": "",
    "int64": 0,
    "int32": 0,
    "uint64": 0,
    "double": 0.0,
    "bool": False,
    "date": DAY,
    "timestamp": datetime(2026, 1, 1),
}
# name, dependents, and the probability of each target at the worst end
CRATES: dict[str, tuple[int, tuple[float, ...]]] = {
    "serde": (20_000, (0.7, 0.97, 0.05, 0.0, 0.95)),
    "tokio": (9_000, (0.9, 0.96, 0.1, 0.3, 0.94)),
    "tokei": (3, (0.4, 0.1, 0.002, 0.5, 0.1)),
    "rusty-old": (50, (0.04, 0.3, 0.001, 0.2, 0.2)),
}


def write_warehouse(settings: Settings) -> TableStore:
    """Publishes the tables that `crates show` and `crates sql` read."""
    store = TableStore(root=str(settings.warehouse))
    _publish(store, "features", AS_OF, [_features(name, number) for name, (number, _) in CRATES.items()])
    _publish(store, "predictions", AS_OF, _predictions())
    _publish(store, "scores", "latest", [_scores(name, number) for name, (number, _) in CRATES.items()])
    _publish(store, "culprits", AS_OF, [_culprit()])
    known = {"known_at": datetime(2025, 1, 1), "revised_at": datetime(2025, 1, 1)}
    unmaintained = {"id": "RUSTSEC-2025-0001", "canonical_name": "rusty_old", "informational": "unmaintained"}
    vulnerable = {"id": "RUSTSEC-2025-0002", "canonical_name": "tokei", "patched": [">= 2.0.0"]}
    _publish(store, "advisories", AS_OF, [{**unmaintained, **known}, {**vulnerable, **known}])
    Catalog(path=str(settings.catalog)).rebuild(store, TABLES)
    return store


def _publish(store: TableStore, table: str, key: str, rows: list[dict[str, Any]]) -> None:
    columns = TABLES[table].columns
    whole = [{column.name: row.get(column.name, _empty(column)) for column in columns} for row in rows]
    store.publish(TABLES[table], key, pa.Table.from_pylist(whole, schema=TABLES[table].arrow))


def _empty(column: Column) -> Any:
    return None if column.nullable else EMPTY.get(column.type, [])


def _features(name: str, dependents: int) -> dict[str, Any]:
    return {
        "as_of": DAY,
        "crate": name.replace("-", "_"),
        "name": name,
        "default_version": "1.2.3",
        "days_since_release_min": 3.0,
        "days_since_release_max": 3.0,
        "dependents": dependents,
        "is_unmaintained": name == "rusty-old",
        "is_vulnerable": name == "tokei",
        "dependencies_outdated": 2 if name == "tokio" else 0,
    }


def _scores(name: str, dependents: int) -> dict[str, Any]:
    probabilities = dict(zip((target.name for target in TARGETS), CRATES[name][1], strict=True))
    goodness: dict[str, float | None] = {
        t.name: probabilities[t.name] if t.is_good else 1 - probabilities[t.name] for t in TARGETS
    }
    if name == "tokei":
        goodness["quality"] = None  # unknown
    return {
        "as_of": DAY,
        "crate": name.replace("-", "_"),
        "name": name,
        "default_version": "1.2.3",
        "description": HOSTILE if name == "rusty-old" else f"What {name} is for",
        "dependents": dependents,
        "dependents_independent": dependents // 2,
        "unknown_scores": ["quality"] if name == "tokei" else [],
        **goodness,
    }


def _predictions() -> list[dict[str, Any]]:
    evidence = {"topic": "releases", "feature": "releases_30d_min", "value": 3.0, "effect": 1.5}
    advice = {"change": "update the outdated dependencies and publish a release", "is_advice": True}
    no_advice = {"change": "publish a patch release", "is_advice": False}
    return [
        {
            "as_of": DAY,
            "crate": name.replace("-", "_"),
            "target": target.name,
            "horizon_days": target.horizon_days,
            "is_good": target.is_good,
            "probability": worst,
            "worst": worst,
            "best": worst * (1.2 if target.is_good else 0.8) if worst < 0.5 else worst,
            "base_rate": 0.001 if target.name == "security" else 0.1,
            "coverage": 0.3 if (name, target.name) == ("tokei", "quality") else 0.9,
            "evidence": [{**evidence, "words": "Releases in the last 30 days: 3"}],
            "changes": [{**change, "probability": 0.95, "worst": 0.95} for change in (advice, no_advice)]
            if name == "tokio"
            else [],
        }
        for name, (_, probabilities) in CRATES.items()
        for target, worst in zip(TARGETS, probabilities, strict=True)
    ]


def _culprit() -> dict[str, Any]:
    return {
        "as_of": DAY,
        "crate": "tokio",
        "culprit": "rusty-old",
        "culprit_version": "1.2.3",
        "issue": "unmaintained",
        "advisories": ["RUSTSEC-2025-0001"],
        "path": ["tokio", "mio", "rusty-old"],
        "through": ["mio"],
        "fixable_by": "you",
        "actor": "tokio",
        "remedy": "upgrade mio to 9.0.0 or later",
    }
