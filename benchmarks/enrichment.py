"""Enrichment against its figures: speed, validity, what is paid twice, memory; and quality on the golden set.

`python -m benchmarks.enrichment [--model NAME-OR-PATH]…` builds the table `enrichments` of the golden crates, with the
asset's own function, in a folder that is thrown away; twice, so that what a second run asks is counted. Without a model
it measures the extractive method. Disagreements are listed in $CRATES_DATA/benchmarks/enrichment.md for reading.
"""

import argparse
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from assets.enrichment.categories import named
from assets.partitions import SHARD_PARTITIONS
from benchmarks.golden.judging import Judged, doubts, judge, reliability, use_cases_that_are_uses
from benchmarks.golden.reading import SLUGS, GoldenCrate, golden
from enrichment.drafts import CrateReading, CrateText
from pipeline_defs.build import Resources, build_resources
from resources.common.settings import Settings
from resources.language_model.language_model import LanguageModel
from resources.language_model.questions import Question
from testing.enrichment_runs import Text, publish_texts
from testing.table_builds import build

CRATES_PER_HOUR = 1_000


@dataclass(frozen=True)
class Measured:
    """One pass over all shards."""

    rows: list[dict]
    replies: int
    reused: int
    seconds: float
    model_seconds: float
    worker_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", default=[])
    crates = golden()
    pages = [page for model in ("", *parser.parse_args().model) for page in benchmark(model, crates)]
    path = Settings.from_env().data / "benchmarks" / "enrichment.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(pages))
    print(f"disagreements: {path}")


def benchmark(model: str, crates: list[GoldenCrate]) -> Iterator[str]:
    """Prints the figures of one model; yields what to read."""
    print(f"\n{model or 'without a model'}: {len(crates)} golden crates")
    with TemporaryDirectory() as folder:
        resources = installation(Path(folder), model)
        publish_texts(resources, {c.name: text_of(c) for c in crates if c.description or c.readme})
        first, second = measure(resources), measure(resources)
        by_model = categories_by_model(resources.language_model, crates) if model else None
    if model:
        print_speed(first, second)
        print(f"  categories: {doubts(crates, first.rows, categories_by_embedding(crates))}")
    judged = judge(crates, first.rows)
    if by_model:
        judged.shares["category among those accepted, by the model"] = by_model
    judged.shares["use cases that are no heading or prompt word"] = use_cases_that_are_uses(crates, first.rows)
    print_quality(judged)
    print(*(f"    {line}" for line in reliability(crates, first.rows)), sep="\n")
    yield f"# {model or 'extractive'}\n"
    yield from judged.disagreements
    yield "\n## All rows\n"
    for row in first.rows:
        yield f"- {row['crate']} ({row['method']}): {row['summary']} / {row['use_cases']} / {row['error']}".replace(
            "<", "&lt;"
        )


def installation(folder: Path, model: str) -> Resources:
    """A fresh installation with one model, its files where the settings have them."""
    settings = Settings.from_env()
    resources = build_resources(replace(settings, data=folder, model=model))
    language_model = replace(resources.language_model, folder=str(settings.models))
    return replace(resources, language_model=language_model)


def text_of(crate: GoldenCrate) -> Text:
    """A golden crate as a version whose author names no category."""
    return Text(crate.description, crate.readme, keywords=crate.keywords)


def measure(resources: Resources) -> Measured:
    """Builds every shard."""
    rows, replies, reused, model_seconds = [], 0, 0, 0.0
    started = time.monotonic()
    with peak_of_children() as peak:
        for shard in SHARD_PARTITIONS.get_partition_keys():
            built = build("enrichments", shard, resources)
            rows += built.rows.to_pylist()
            numbers = built.context.metrics
            replies += int(numbers.get("replies", 0))
            reused += int(numbers.get("cache_hits", 0))
            model_seconds += float(numbers.get("asking_seconds", 0))
    return Measured(rows, replies, reused, time.monotonic() - started, model_seconds, peak[0])


@contextmanager
def peak_of_children() -> Iterator[list[int]]:
    """The most memory that any child process held (resident), in bytes, once the block has ended."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            for child in psutil.Process().children():
                try:
                    peak[0] = max(peak[0], child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def categories_by_embedding(crates: list[GoldenCrate]) -> dict[str, str | None]:
    """The category of each crate that no model is asked of, by name."""
    readings = [CrateReading(CrateText(c.name, c.description, c.readme, c.keywords)) for c in crates]
    written = [{**vars(crate), "categories": None} for crate in crates]
    return {crate.name: category.slug for crate, category in zip(crates, named(written, readings, None))}


def categories_by_model(model: LanguageModel, crates: list[GoldenCrate]) -> tuple[int, int]:
    """How many categories the language model gets right when it is asked for one, of how many labelled crates."""
    slugs = sorted(SLUGS)  # a set has another order in every process, and the order changes what a model says
    schema = {"type": "object", "properties": {"category": {"enum": slugs}}, "required": ["category"]}
    system = f"Say which category a Rust crate belongs to, as JSON. The categories are: {', '.join(slugs)}."
    texts = {c.name: CrateReading(CrateText(c.name, c.description, c.readme, c.keywords)).prompt() for c in crates}
    labelled = {c.name: c for c in crates if c.primary and texts[c.name]}
    questions = [
        Question(name, ({"role": "system", "content": system}, prompt[-1]), schema)
        for name in labelled
        if (prompt := texts[name])
    ]
    said = {reply.key: reply for reply in model.ask(questions, 24, 60.0)}
    whole = {name: json.loads(reply.text or "") for name, reply in said.items() if reply.finish_reason == "stop"}
    right = sum(whole.get(name, {}).get("category") in crate.accepted for name, crate in labelled.items())
    return right, len(labelled)


def print_speed(first: Measured, second: Measured) -> None:
    an_hour = sum(row["reply"] is not None for row in first.rows) / first.model_seconds * 3600
    unfinished = sum(row["error"] is not None and row["reply"] is None for row in first.rows)
    print(f"  crates an hour                {an_hour:8,.0f}   (asked: {CRATES_PER_HOUR:,}; loading included)")
    print(f"  seconds of a reply, median    {sorted(r['seconds'] or 0 for r in first.rows)[len(first.rows) // 2]:8.2f}")
    print(f"  memory of a worker            {first.worker_bytes / 2**30:8.2f} GB")
    print(f"  asked again on a second run   {second.replies:8}   (asked: 0)")
    print(f"  questions without a reply     {unfinished:8}   (asked: 0)")


def print_quality(judged: Judged) -> None:
    for name, (right, of) in judged.shares.items():
        share = f"{right / of:6.1%}" if of else "   n/a"
        print(f"  {name:<46} {share}   ({right} of {of})")


if __name__ == "__main__":
    main()
