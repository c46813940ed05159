"""The `enrichments` table: what the texts say of each crate, and where they say so."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assets.enrichment.categories import category_columns, doubt, named
from assets.enrichment.drafts import drafted
from assets.enrichment.llm_calls import Asking, question
from assets.enrichment.replies import replies_in
from assets.enrichment.report import report
from assets.enrichment.texts import texts
from assets.partitions import SHARD_PARTITIONS, all_partitions
from assets.registry.crates import crates
from assets.registry.versions import versions
from assets.schemas.enrichment import ENRICHMENTS
from assets.table_asset import table_asset
from assets.table_build import SQL, BuildContext
from resources.cache import Cache
from resources.cache.resource import CacheResource
from resources.language_model.language_model import LanguageModel
from resources.language_model.questions import Reply
from resources.language_model.reply_journal import ReplyJournal
from resources.warehouse.session import set_variables, view

NO_MODEL = "none"
BATCH = 512  # texts that are held and asked together


@table_asset(
    ENRICHMENTS,
    group="enrichment",
    deps=[all_partitions(table) for table in (crates, versions, texts)],
    kinds={"python", "llama_cpp"},
    partitions=SHARD_PARTITIONS,
)
def enrichments(
    context: BuildContext, language_model: LanguageModel, journal: ReplyJournal, cache: CacheResource
) -> pa.RecordBatchReader:
    """Of the newest snapshot's texts, those that are new, added to all that were read before: no text is read twice by
    the same prompt and model, unless the machine failed. Without a model, or where its answer cannot be shown to be so,
    the text's own best sentence stands, and is marked as that.
    """
    model = language_model.file()
    before = _published(context)
    new = _new_texts(context, before, model.sha256 if model else NO_MODEL)
    opened = cache.open()
    if model is None:
        rows = [row for batch in new for row in _rows(batch, None, opened)]
        report(context, rows, None)
    else:
        known = _known(before, model.sha256)
        with journal.open(context.key, {(key, model.sha256) for key in known}) as replies:
            known |= {reply.key: reply for reply in replies.replies if reply.model == model.sha256}
            asking = Asking(language_model, model, replies, known, opened)
            rows = [row for batch in new for row in _rows(batch, asking, opened)]
        report(context, rows, asking)
    context.con.register("made", pa.Table.from_pylist(rows, ENRICHMENTS.arrow))
    return context.con.sql((SQL / "enrichment" / "together.sql").read_text()).to_arrow_reader(BATCH)


def _published(context: BuildContext) -> pa.Table:
    """What the shard has. Rows of an earlier version of this project, with other columns, are made anew."""
    found = context.store.find(ENRICHMENTS.name, context.key)
    if found is None or pq.read_schema(found.path).names != ENRICHMENTS.arrow.names:
        return ENRICHMENTS.arrow.empty_table()
    return pq.read_table(context.store.require(ENRICHMENTS.name, context.key).path).cast(ENRICHMENTS.arrow)


def _known(before: pa.Table, model: str) -> dict[str, Reply]:
    """The replies of a model that the table has, by hash of the prompt."""
    rows = (row for row in before.to_pylist() if row["model"] == model)
    return {reply.key: reply for row in rows for reply in replies_in(row) if reply.is_final}


def _new_texts(context: BuildContext, before: pa.Table, model: str) -> Iterator[list[dict[str, Any]]]:
    """The texts to read, in batches."""
    from enrichment.prompt import PROMPT_VERSION

    con, snapshots = context.con, context.store.partitions("texts")
    for table in ("crates", "versions", "texts"):
        view(con, context.store, table, snapshots[-1] if snapshots else "newest")
    set_variables(con, shard=context.key, prompt_version=PROMPT_VERSION, model=model)
    con.register("enriched", before)
    con.execute((SQL / "enrichment" / "written.sql").read_text())
    rows = con.sql((SQL / "enrichment" / "new_texts.sql").read_text()).to_arrow_reader(BATCH)
    for batch in rows:
        yield batch.to_pylist()


def _rows(written: list[dict[str, Any]], asking: Asking | None, cache: Cache) -> list[dict[str, Any]]:
    """A row for each text: one bad text has its error in its row, and stops nothing."""
    from enrichment.drafts import CrateReading, CrateText
    from enrichment.prompt import PROMPT_VERSION, SCHEMA

    readings = [
        CrateReading(CrateText(w["name"], w["description"], w["readme"], tuple(w["keywords"] or ()))) for w in written
    ]
    prompts = [reading.prompt() if asking else None for reading in readings]
    questions = [question(prompt, SCHEMA) if prompt else None for prompt in prompts]
    categories = named(written, readings, cache)
    doubts = [doubt(r, category, asking.model) if asking else None for r, category in zip(readings, categories)]
    # those that begin alike follow each other
    replies = asking.ask(q for q in (*questions, *doubts) if q) if asking else {}
    return [
        {
            **drafted(reading, replies[asked.key] if asked else None),
            **category_columns(category, replies[doubted.key] if doubted else None),
            **{name: text[name] for name in ("input_sha256", "crate", "num", "known_at", "content_sha256")},
            "prompt_version": PROMPT_VERSION,
            "model": asking.model.sha256 if asking else NO_MODEL,
        }
        for text, reading, asked, category, doubted in zip(written, readings, questions, categories, doubts)
    ]
