"""A look-up counts the crates whose score is strictly lower, and strictly higher."""

from dataclasses import replace
from pathlib import Path

import pytest

from resources.common.settings import Settings
from resources.warehouse.table_store import TableStore
from serving.crate_lookup import read_crate
from testing.small_warehouse import CRATES, write_warehouse


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TableStore:
    data: Path = tmp_path_factory.mktemp("data")
    return write_warehouse(replace(Settings.from_env(), data=data))


@pytest.mark.parametrize(("name", "lower"), [("rusty-old", 0), ("tokei", 1), ("serde", 2), ("tokio", 3)])
def test_shares_of_crates_with_a_lower_and_a_higher_risk_exclude_the_crate(
    store: TableStore, name: str, lower: int
) -> None:
    found = read_crate(store, name)
    assert found
    score = found["scores"]["security"]
    assert score["share_lower"] == lower / len(CRATES)
    assert score["share_higher"] == (len(CRATES) - 1 - lower) / len(CRATES)
