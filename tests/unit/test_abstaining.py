"""A score that no model may predict, or of which too little is known, is null and named."""

from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from assets.schemas.predictions import PREDICTIONS
from assets.table_asset import ONLY
from ml.targets import LEAST_COVERAGE, TARGETS
from testing.registries import from_rows, write_registry
from testing.table_builds import build, build_registry, tools

AS_OF = "2020-07-20"
WITHOUT_CHAMPION = "quality"
ENOUGH = {"well_known": 1.0, "just_enough": LEAST_COVERAGE, "unknown": LEAST_COVERAGE - 0.01}  # coverage of maintenance
EVIDENCE = {"topic": "releases", "feature": "versions", "value": 1.0, "effect": 0.5, "words": "versions so far: 1"}
CHANGE = {"change": "publish a patch release", "probability": 0.7, "worst": 0.5}


def predicted(crate: str, coverage: float) -> list[dict]:
    """Rows of `predictions` for every target that has a champion."""
    row = {"as_of": date.fromisoformat(AS_OF), "crate": crate, "probability": 0.3, "percentile": 0.5, "base_rate": 0.1}
    row |= {"evidence": [EVIDENCE], "changes": [CHANGE], "model_id": "x"}
    return [
        {
            **row,
            "target": t.name,
            "horizon_days": t.horizon_days,
            "is_good": t.is_good,
            "worst": 0.2 if t.is_good else 0.4,
            "best": 0.4 if t.is_good else 0.2,
            "coverage": coverage if t.name == "maintenance" else 0.9,
        }
        for t in TARGETS
        if t.name != WITHOUT_CHAMPION
    ]


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    folder: Path = tmp_path_factory.mktemp("scores")
    at = datetime(2020, 1, 1)
    row = {"num": "1.0.0", "position": 0, "published_at": at, "published_after": at, "published_at_exact": True}
    facts = {"versions": [{**row, "name": crate, "feature_names": []} for crate in ENOUGH]}
    (folder / "registry").mkdir()
    (folder / "registry" / "descriptions.csv").write_text("name,description\nunknown,who knows\n")
    write_registry(folder / "registry", from_rows(facts))
    with_tools = tools(folder / "data", folder / "registry")
    build_registry(with_tools)
    build("texts", AS_OF, with_tools)
    build("features", AS_OF, with_tools)
    rows = [row for crate, coverage in sorted(ENOUGH.items()) for row in predicted(crate, coverage)]
    with_tools.store.publish(PREDICTIONS, AS_OF, pa.Table.from_pylist(rows, PREDICTIONS.arrow))
    return {r["crate"]: r for r in build("scores", ONLY, with_tools).rows.to_pylist()}


def test_below_the_least_coverage_a_score_is_null_and_named(scores: dict[str, dict]) -> None:
    told = scores["unknown"]
    parts = ("maintenance", "maintenance_probability", "maintenance_best", "maintenance_percentile")
    assert [told[part] for part in parts] == [None] * 4
    assert set(told["unknown_scores"]) == {"maintenance", WITHOUT_CHAMPION}
    assert told["popularity"] == 0.2
    assert told["coverage"] == ENOUGH["unknown"]
    assert not any("released" in words for words in told["evidence"])
    assert not any("maintenance" in words for words in told["changes"])


@pytest.mark.parametrize("crate", ["well_known", "just_enough"])
def test_from_the_least_coverage_on_it_is_told(scores: dict[str, dict], crate: str) -> None:
    told = scores[crate]
    assert (told["maintenance"], told["maintenance_probability"], told["maintenance_best"]) == (0.2, 0.3, 0.4)
    assert told["coverage"] == min(0.9, ENOUGH[crate])
    assert "more likely to be released: versions so far: 1" in told["evidence"]
    assert "maintenance 50% instead of 20%: publish a patch release" in told["changes"]


def test_a_target_without_a_champion_is_null_and_named(scores: dict[str, dict]) -> None:
    for crate, told in scores.items():
        assert told[WITHOUT_CHAMPION] is told[f"{WITHOUT_CHAMPION}_probability"] is None
        assert WITHOUT_CHAMPION in told["unknown_scores"]
        others = {t.name for t in TARGETS} - set(told["unknown_scores"])
        assert others == {t.name for t in TARGETS if told[t.name] is not None}
        assert len(others) == (3 if crate == "unknown" else 4)


def test_what_nobody_wants_is_told_as_the_chance_that_it_does_not_happen(scores: dict[str, dict]) -> None:
    told = scores["well_known"]
    for score in ("security", "dependency_health"):
        ends = (told[score], told[f"{score}_probability"], told[f"{score}_best"])
        assert ends == pytest.approx((0.6, 0.7, 0.8))
    assert "more likely to get an advisory: versions so far: 1" in told["evidence"]
    assert "security 50% instead of 60%: publish a patch release" in told["changes"]
