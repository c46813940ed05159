"""The golden labels load and are varied, and a bad file is refused with its name and field."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.golden.labels import KINDS, SLUGS, GoldenCrate, dev_labels, golden

ROOT = Path(__file__).parents[2]
GOOD = {"name": '"a"', "kind": '"sparse"', "has_summary": "false", "facts": "[]", "use_cases": "[]"}


@pytest.fixture(scope="module")
def crates() -> list[GoldenCrate]:
    return golden()


def sample_names() -> set[str]:
    with (ROOT / "sample" / "descriptions.csv").open(encoding="utf-8", newline="") as lines:
        return {row["name"] for row in csv.DictReader(lines)}


def write(folder: Path, readme: str = "", **changed: str) -> Path:
    matter = "\n".join(f"{key} = {value}" for key, value in {**GOOD, **changed}.items())
    (folder / "a.md").write_text(f"+++\n{matter}\n+++\n{readme}", encoding="utf-8")
    return folder


def test_there_are_enough_crates_of_every_kind(crates: list[GoldenCrate]) -> None:
    assert len(crates) >= 60
    assert {crate.kind for crate in crates} == KINDS
    assert sum(crate.kind == "hostile" for crate in crates) >= 8
    assert max(len(crate.readme or "") for crate in crates) >= 200_000


def test_primary_categories_are_many_and_valid(crates: list[GoldenCrate]) -> None:
    primaries = Counter(crate.primary for crate in crates if crate.primary)
    assert len(primaries) >= 32
    assert max(primaries.values()) <= 4
    assert {slug for crate in crates for slug in crate.accepted} <= SLUGS


def test_crates_differ_from_each_other_and_from_the_sample(crates: list[GoldenCrate]) -> None:
    names = [crate.name for crate in crates]
    readmes = [crate.readme for crate in crates if crate.readme]
    assert names == sorted(set(names))
    assert not set(names) & sample_names()
    assert len(readmes) == len(set(readmes))


def test_kinds_without_readme_have_none(crates: list[GoldenCrate]) -> None:
    for crate in crates:
        assert (crate.readme is None) == (crate.kind in {"none", "one-line"}), crate.name
    assert [crate.description for crate in crates if crate.kind == "none"] == [None] * 2


def test_dev_labels_cover_the_sample() -> None:
    labels = dev_labels()
    assert set(labels) == sample_names()
    assert all(primary in accepted for primary, accepted in labels.values())


def test_repeat_and_append_follow_the_readme(tmp_path: Path) -> None:
    (crate,) = golden(write(tmp_path, "# a\n", repeat='["xy", 3]', append=r'"\u0007"'))
    assert crate.readme == "# a\nxyxyxy\x07"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("primary", '"cooking"'),
        ("kind", '"odd"'),
        ("name", '"b"'),
        ("facts", '["said"]'),
        ("also", '["gui"]'),
        ("language", '"english"'),
        ("repeat", '["x", "y"]'),
        ("colour", '"red"'),
        ("keywords", "[1]"),
    ],
)
def test_error_names_the_bad_field(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.md: {key}: "):
        golden(write(tmp_path, **{key: value}))
