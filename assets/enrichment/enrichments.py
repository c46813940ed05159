"""The `enrichments` table: summary, use cases and category of each text, with the spans that support them."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assets.enrichment.categories import category_columns, category_question, classify
from assets.enrichment.draft_columns import draft_columns
from assets.enrichment.llm_calls import LlmCalls, question
from assets.enrichment.replies import replies_in
from assets.enrichment.report import report
from assets.enrichment.texts import texts
from assets.partitions import SHARD_PARTITIONS, all_partitions
from assets.registry.crates import crates
from assets.registry.versions import versions
from assets.schemas.enrichment import ENRICHMENTS
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from resources.cache import Cache, CacheSettings
from resources.language_model.language_model import LanguageModel
from resources.language_model.questions import Reply
from resources.language_model.reply_journal import ReplyJournal
from resources.warehouse.session import set_variables, view

NO_MODEL = "none"
BATCH_ROWS = 512  # texts that are in memory and asked about together


@table_asset(
    ENRICHMENTS,
    group="enrichment",
    deps=[all_partitions(table) for table in (crates, versions, texts)],
    kinds={"python", "llama_cpp"},
    partitions=SHARD_PARTITIONS,
)
def enrichments(
    context: BuildContext, language_model: LanguageModel, journal: ReplyJournal, cache: CacheSettings
) -> pa.RecordBatchReader:
    """The shard's earlier rows, and rows for the new texts of the newest snapshot.

    A text is read once by each prompt version and model, and again only if the machine failed. Without a model, or if
    the text does not support the reply, the summary is the best sentence of the text, and `method` is `extractive`.
    """
    model = language_model.file()
    earlier = _earlier_rows(context)
    new = _new_texts(context, earlier, model.sha256 if model else NO_MODEL)
    opened = cache.open()
    if model is None:
        rows = [row for batch in new for row in _rows(batch, None, opened)]
        report(context, rows, None)
    else:
        known = _known_replies(earlier, model.sha256)
        with journal.open(context.key, {(key, model.sha256) for key in known}) as opened_journal:
            known |= {reply.key: reply for reply in opened_journal.replies if reply.model == model.sha256}
            calls = LlmCalls(language_model, model, opened_journal, known, opened)
            rows = [row for batch in new for row in _rows(batch, calls, opened)]
        report(context, rows, calls)
    context.con.register("new_rows", pa.Table.from_pylist(rows, ENRICHMENTS.arrow))
    return context.con.sql((SQL / "enrichment" / "all_rows.sql").read_text()).to_arrow_reader(BATCH_ROWS)


def _earlier_rows(context: BuildContext) -> pa.Table:
    """The published rows of the shard; none if an earlier version of this project wrote them with other columns."""
    found = context.store.find(ENRICHMENTS.name, context.key)
    if found is None or pq.read_schema(found.path).names != ENRICHMENTS.arrow.names:
        return ENRICHMENTS.arrow.empty_table()
    return pq.read_table(found.path).cast(ENRICHMENTS.arrow)


def _known_replies(earlier: pa.Table, model: str) -> dict[str, Reply]:
    """The final replies of a model in the table, by the hash of their prompt."""
    rows = (row for row in earlier.to_pylist() if row["model"] == model)
    return {reply.key: reply for row in rows for reply in replies_in(row) if reply.is_final}


def _new_texts(context: BuildContext, earlier: pa.Table, model: str) -> Iterator[list[dict[str, Any]]]:
    """The texts to read, in batches. `model` is the sha256 of the model, or NO_MODEL."""
    from enrichment.prompt import PROMPT_VERSION

    con, snapshots = context.con, context.store.partitions("texts")
    for table in ("crates", "versions", "texts"):
        view(con, context.store, table, snapshots[-1] if snapshots else "newest")
    set_variables(con, shard=context.key, prompt_version=PROMPT_VERSION, model=model)
    con.register("earlier_rows", earlier)
    con.execute((SQL / "enrichment" / "shard_texts.sql").read_text())
    rows = con.sql((SQL / "enrichment" / "new_texts.sql").read_text()).to_arrow_reader(BATCH_ROWS)
    for batch in rows:
        yield batch.to_pylist()


def _rows(texts: list[dict[str, Any]], calls: LlmCalls | None, cache: Cache) -> list[dict[str, Any]]:
    """A row for each text. If a text cannot be read, the row has the error, and the others go on."""
    from enrichment.crate_reading import CrateReading, CrateText
    from enrichment.prompt import PROMPT_VERSION, SCHEMA

    readings = [
        CrateReading(CrateText(t["name"], t["description"], t["readme"], tuple(t["keywords"] or ()))) for t in texts
    ]
    prompts = [reading.prompt() if calls else None for reading in readings]
    questions = [question(prompt, SCHEMA) if prompt else None for prompt in prompts]
    categories = classify(texts, readings, cache)
    about_category = [category_question(r, c, calls.model) if calls else None for r, c in zip(readings, categories)]
    # questions with the same system message follow each other
    replies = calls.ask(q for q in (*questions, *about_category) if q) if calls else {}
    return [
        {
            **draft_columns(reading, replies[asked.key] if asked else None),
            **category_columns(category, replies[about.key] if about else None),
            **{name: text[name] for name in ("input_sha256", "crate", "num", "known_at", "content_sha256")},
            "prompt_version": PROMPT_VERSION,
            "model": calls.model.sha256 if calls else NO_MODEL,
        }
        for text, reading, asked, category, about in zip(texts, readings, questions, categories, about_category)
    ]
