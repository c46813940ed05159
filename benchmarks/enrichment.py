"""Enrichment measured on the golden crates: speed, memory, questions asked twice, and quality.

`python -m benchmarks.enrichment [--model NAME-OR-PATH]…` builds the table `enrichments` in a temporary folder with the
function of the asset, twice, to count what the second run asks. The extractive method is measured always. Disagreements
with the labels are listed in $CRATES_DATA/benchmarks/enrichment.md.
"""

import argparse
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from assets.enrichment.categories import classify
from assets.partitions import SHARD_PARTITIONS
from benchmarks.golden.evaluation import (
    Evaluation,
    accuracy_by_margin,
    compare_categories,
    evaluate,
    real_use_cases,
)
from benchmarks.golden.labels import SLUGS, GoldenCrate, golden
from enrichment.crate_reading import CrateReading, CrateText
from pipeline_defs.build import Resources, build_resources
from resources.common.settings import Settings
from resources.language_model.language_model import LanguageModel
from resources.language_model.questions import Question
from testing.enrichment_runs import Text, publish_texts
from testing.table_builds import build

MIN_CRATES_PER_HOUR = 1_000


@dataclass(frozen=True)
class Measurement:
    """One run over all shards."""

    rows: list[dict]
    replies: int
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
    """Prints the figures of one model; yields lines of Markdown about its rows."""
    print(f"\n{model or 'without a model'}: {len(crates)} golden crates")
    with TemporaryDirectory() as folder:
        resources = installation(Path(folder), model)
        publish_texts(resources, {c.name: text_of(c) for c in crates if c.description or c.readme})
        first, second = measure(resources), measure(resources)
        by_model = categories_by_model(resources.language_model, crates) if model else None
    if model:
        print_speed(first, second)
        print(f"  categories: {compare_categories(crates, first.rows, categories_by_embedding(crates))}")
    evaluation = evaluate(crates, first.rows)
    if by_model:
        evaluation.shares["category among those accepted, by the model"] = by_model
    evaluation.shares["use cases that are not a heading or prompt words"] = real_use_cases(crates, first.rows)
    print_quality(evaluation)
    print(*(f"    {line}" for line in accuracy_by_margin(crates, first.rows)), sep="\n")
    yield f"# {model or 'extractive'}\n"
    yield from evaluation.disagreements
    yield "\n## All rows\n"
    for row in first.rows:
        yield f"- {row['crate']} ({row['method']}): {row['summary']} / {row['use_cases']} / {row['error']}".replace(
            "<", "&lt;"
        )


def installation(folder: Path, model: str) -> Resources:
    """A new installation with one model, whose files are in the folder of the settings."""
    settings = Settings.from_env()
    resources = build_resources(replace(settings, data=folder, model=model))
    language_model = replace(resources.language_model, folder=str(settings.models))
    return replace(resources, language_model=language_model)


def text_of(crate: GoldenCrate) -> Text:
    """The texts of a golden crate, without an author's category."""
    return Text(crate.description, crate.readme, keywords=crate.keywords)


def measure(resources: Resources) -> Measurement:
    """Builds every shard."""
    rows, replies, model_seconds = [], 0, 0.0
    with peak_of_children() as peak:
        for shard in SHARD_PARTITIONS.get_partition_keys():
            built = build("enrichments", shard, resources)
            rows += built.rows.to_pylist()
            numbers = built.context.metrics
            replies += int(numbers.get("replies", 0))
            model_seconds += float(numbers.get("model_seconds", 0))
    return Measurement(rows, replies, model_seconds, peak[0])


@contextmanager
def peak_of_children() -> Iterator[list[int]]:
    """The peak resident memory of any child process in bytes, when the block has ended."""
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
    """The category of each crate without a model, by name."""
    readings = [CrateReading(CrateText(c.name, c.description, c.readme, c.keywords)) for c in crates]
    texts = [{**vars(crate), "categories": None} for crate in crates]
    return {crate.name: category.slug for crate, category in zip(crates, classify(texts, readings, None))}


def categories_by_model(model: LanguageModel, crates: list[GoldenCrate]) -> tuple[int, int]:
    """How many categories the language model gets right if it chooses among all, and the number of labelled crates."""
    slugs = sorted(SLUGS)  # the order changes the replies, and that of a set differs between processes
    schema = {"type": "object", "properties": {"category": {"enum": slugs}}, "required": ["category"]}
    system = f"Say which category a Rust crate belongs to, as JSON. The categories are: {', '.join(slugs)}."
    prompts = {c.name: CrateReading(CrateText(c.name, c.description, c.readme, c.keywords)).prompt() for c in crates}
    labelled = {c.name: c for c in crates if c.primary and prompts[c.name]}
    questions = [
        Question(name, ({"role": "system", "content": system}, prompt[-1]), schema)
        for name in labelled
        if (prompt := prompts[name])
    ]
    replies = {reply.key: reply for reply in model.ask(questions, 24, 60.0)}
    finished = {name: json.loads(reply.text or "") for name, reply in replies.items() if reply.finish_reason == "stop"}
    right = sum(finished.get(name, {}).get("category") in crate.accepted for name, crate in labelled.items())
    return right, len(labelled)


def print_speed(first: Measurement, second: Measurement) -> None:
    an_hour = sum(row["reply"] is not None for row in first.rows) / first.model_seconds * 3600
    unfinished = sum(row["error"] is not None and row["reply"] is None for row in first.rows)
    print(f"  crates an hour                {an_hour:8,.0f}   (limit: {MIN_CRATES_PER_HOUR:,}; loading included)")
    print(f"  seconds of a reply, median    {sorted(r['seconds'] or 0 for r in first.rows)[len(first.rows) // 2]:8.2f}")
    print(f"  memory of a worker            {first.worker_bytes / 2**30:8.2f} GB")
    print(f"  asked again on a second run   {second.replies:8}   (limit: 0)")
    print(f"  questions without a reply     {unfinished:8}   (limit: 0)")


def print_quality(evaluation: Evaluation) -> None:
    for name, (right, of) in evaluation.shares.items():
        share = f"{right / of:6.1%}" if of else "   n/a"
        print(f"  {name:<46} {share}   ({right} of {of})")


if __name__ == "__main__":
    main()
