"""An installation with the texts that a test needs, with a tiny model or without one."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from assets.schemas.registry import CRATES, TEXTS, VERSIONS
from assets.table_build import BuildResult
from pipeline_defs.build import Resources
from resources.language_model.language_model import LanguageModel
from testing.registries import SAMPLE
from testing.table_builds import bundled_resources
from testing.tiny_model import write_tiny_model

SHARD = "0"


@dataclass(frozen=True)
class Text:
    """What the author wrote about one version."""

    description: str | None
    readme: str | None = None
    categories: tuple[str, ...] | None = None
    keywords: tuple[str, ...] = ()


def names_in_shard(count: int) -> list[str]:
    """Names of crates in the shard."""
    names = (f"crate_{n}" for n in range(10_000))
    found = [name for name in names if hashlib.sha256(name.encode()).hexdigest().startswith(SHARD)]
    return found[:count]


ALPHA, BETA, GAMMA, DELTA = names_in_shard(4)
TEXTS_BY_CRATE = {
    ALPHA: Text("Parses TOML files into typed values."),
    BETA: Text("Compresses byte streams with LZ4.", categories=("compression",)),
    GAMMA: Text("A cache with time to live."),
}


def publish_texts(resources: Resources, texts: Mapping[str, Text], day: str = "2020-07-20") -> None:
    """Publishes the tables of a snapshot in which each crate has one version."""
    named = list(enumerate(texts.items(), 1))
    at = {"created_at": datetime.fromisoformat(day), "created_at_exact": True}
    version = {"num": "1.0.0", "version_key": "1", "yanked": False, **at}
    rows = {
        CRATES: [{"id": n, "name": name, "canonical_name": canonical(name), **at} for n, (name, _) in named],
        VERSIONS: [
            {
                "id": n,
                "crate_id": n,
                "keywords": list(text.keywords),
                "categories": text.categories and list(text.categories),
                **version,
            }
            for n, (_, text) in named
        ],
        TEXTS: [
            {
                "version_id": n,
                "crate_id": n,
                "description": text.description,
                "readme": text.readme,
                "content_sha256": hashlib.sha256(repr(text).encode()).hexdigest(),
            }
            for n, (_, text) in named
        ],
    }
    for table, found in rows.items():
        resources.store.publish(table, day, pa.Table.from_pylist(found, table.arrow))


def canonical(name: str) -> str:
    """The name of the crate in the rows of `enrichments`."""
    return name.lower().replace("-", "_")


def installation(folder: Path) -> Resources:
    """An installation without a language model, whose snapshot has the three texts of `TEXTS_BY_CRATE`."""
    found = bundled_resources(folder / "data", SAMPLE)
    publish_texts(found, TEXTS_BY_CRATE)
    return found


def use_model(resources: Resources, model: Path | str, **settings: object) -> Resources:
    """The same installation with the model at a path."""
    folder = str(Path(resources.store.root).parent / "models")
    values = {"sha256": "", "folder": folder, "context": 3000, "workers": 1, **settings}
    return replace(resources, language_model=LanguageModel(model=str(model), **values))


def use_tiny_model(resources: Resources, **settings: object) -> Resources:
    """The same installation with a language model of random weights."""
    path = Path(resources.store.root).parent / "tiny.gguf"
    if not path.exists():
        write_tiny_model(path)
    return use_model(resources, path, **settings)


def rows_of(built: BuildResult) -> dict[str, dict]:
    """The rows by crate; the last one of a crate with several."""
    return {row["crate"]: row for row in built.rows.to_pylist()}
