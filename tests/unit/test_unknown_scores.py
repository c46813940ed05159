"""A score is null, and listed in `unknown_scores`, without a champion or with too few known inputs."""

from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from assets.partitions import LATEST
from assets.schemas.predictions import PREDICTIONS
from ml.targets import MIN_COVERAGE, TARGETS
from testing.registries import from_rows, write_registry
from testing.table_builds import build, build_registry, bundled_resources

AS_OF = "2020-07-20"
WITHOUT_CHAMPION = "quality"
ENOUGH = {"well_known": 1.0, "just_enough": MIN_COVERAGE, "unknown": MIN_COVERAGE - 0.01}  # coverage of maintenance
# crates with too few known inputs of one target
LESS_KNOWN = {f"unknown_{t.name}": t.name for t in TARGETS if t.name != WITHOUT_CHAMPION}
EVIDENCE = {"topic": "releases", "feature": "versions", "value": 1.0, "effect": 0.5, "words": "Versions published: 1"}


def changes(worst: float) -> list[dict]:
    """Counterfactuals: only advice is shown, and only if the score changes when rounded."""
    rows = [("publish a patch release", False, 0.6), ("hand it over", True, worst), ("update everything", True, 0.5)]
    return [{"change": words, "is_advice": advice, "probability": 0.7, "worst": end} for words, advice, end in rows]


def coverage(crate: str, target: str) -> float:
    """The share of the target's inputs that are known of the crate."""
    if LESS_KNOWN.get(crate) == target:
        return MIN_COVERAGE - 0.01
    return ENOUGH.get(crate, 0.9) if target == "maintenance" else 0.9


def predicted(crate: str) -> list[dict]:
    """Rows of `predictions` for every target that has a champion."""
    row = {"as_of": date.fromisoformat(AS_OF), "crate": crate, "probability": 0.3, "percentile": 0.5, "base_rate": 0.1}
    row |= {"evidence": [EVIDENCE], "model_id": "x"}
    return [
        {
            **row,
            "target": t.name,
            "horizon_days": t.horizon_days,
            "is_good": t.is_good,
            "worst": 0.2 if t.is_good else 0.4,
            "best": 0.4 if t.is_good else 0.2,
            "changes": changes(0.204 if t.is_good else 0.396),
            "coverage": coverage(crate, t.name),
        }
        for t in TARGETS
        if t.name != WITHOUT_CHAMPION
    ]


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    folder: Path = tmp_path_factory.mktemp("scores")
    at = datetime(2020, 1, 1)
    row = {"num": "1.0.0", "position": 0, "published_at": at, "published_after": at, "published_at_exact": True}
    facts = {"versions": [{**row, "name": crate, "feature_names": []} for crate in [*ENOUGH, *LESS_KNOWN]]}
    (folder / "registry").mkdir()
    (folder / "registry" / "descriptions.csv").write_text("name,description\nunknown,who knows\n")
    write_registry(folder / "registry", from_rows(facts))
    resources = bundled_resources(folder / "data", folder / "registry")
    build_registry(resources)
    build("texts", AS_OF, resources)
    build("features", AS_OF, resources)
    rows = [row for crate in sorted([*ENOUGH, *LESS_KNOWN]) for row in predicted(crate)]
    resources.store.publish(PREDICTIONS, AS_OF, pa.Table.from_pylist(rows, PREDICTIONS.arrow))
    return {r["crate"]: r for r in build("scores", LATEST, resources).rows.to_pylist()}


def test_below_the_minimum_coverage_a_score_is_null_and_listed(scores: dict[str, dict]) -> None:
    row = scores["unknown"]
    parts = ("maintenance", "maintenance_probability", "maintenance_best", "maintenance_percentile")
    assert [row[part] for part in parts] == [None] * 4
    assert set(row["unknown_scores"]) == {"maintenance", WITHOUT_CHAMPION}
    assert row["popularity"] == 0.2
    assert row["coverage"] == ENOUGH["unknown"]
    assert not any("a new version" in words for words in row["evidence"] + row["changes"])
    assert any("a new dependent" in words for words in row["evidence"])


@pytest.mark.parametrize(("crate", "target"), LESS_KNOWN.items())
def test_every_part_of_an_unknown_score_is_null(scores: dict[str, dict], crate: str, target: str) -> None:
    row = scores[crate]
    assert [row[f"{target}{part}"] for part in ("", "_probability", "_best", "_percentile")] == [None] * 4
    assert set(row["unknown_scores"]) == {target, WITHOUT_CHAMPION}


@pytest.mark.parametrize("crate", ["well_known", "just_enough"])
def test_at_the_minimum_coverage_a_score_is_shown(scores: dict[str, dict], crate: str) -> None:
    row = scores[crate]
    assert (row["maintenance"], row["maintenance_probability"], row["maintenance_best"]) == (0.2, 0.3, 0.4)
    assert row["coverage"] == min(0.9, ENOUGH[crate])
    assert "Versions published: 1 (a new version is more likely)" in row["evidence"]
    assert "Update everything: 50% instead of 20% chance of a new version within 43 days" in row["changes"]


def test_score_without_a_champion_is_null_and_listed(scores: dict[str, dict]) -> None:
    for crate, row in scores.items():
        assert row[WITHOUT_CHAMPION] is row[f"{WITHOUT_CHAMPION}_probability"] is None
        assert WITHOUT_CHAMPION in row["unknown_scores"]
        others = {t.name for t in TARGETS} - set(row["unknown_scores"])
        assert others == {t.name for t in TARGETS if row[t.name] is not None}
        assert len(others) == (4 if crate in ("well_known", "just_enough") else 3)


def test_score_of_an_unwanted_outcome_is_the_chance_that_it_does_not_happen(scores: dict[str, dict]) -> None:
    row = scores["well_known"]
    for score in ("security", "dependency_health"):
        ends = (row[score], row[f"{score}_probability"], row[f"{score}_best"])
        assert ends == pytest.approx((0.6, 0.7, 0.8))
    assert "Versions published: 1 (a vulnerability advisory is more likely)" in row["evidence"]
    assert "Update everything: 50% instead of 40% risk of a vulnerability advisory within 16 months" in row["changes"]
