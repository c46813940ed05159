"""What must hold of all enrichments together."""

from typing import Any

import duckdb
from dagster import AssetCheckExecutionContext, AssetCheckResult, AssetCheckSeverity, ResourceParam, asset_check

from assets.enrichment.enrichments import enrichments
from assets.schemas.enrichment import ENRICHMENTS
from assets.table_build import SQL
from resources.language_model.language_model import HOW_TO_TURN_ON, LanguageModel
from resources.warehouse.session import Sessions, view
from resources.warehouse.table_store import TableStore

# a model whose answers fail this often is the wrong one, or its prompt is
EXTRACTIVE_AT_MOST = 0.2


@asset_check(asset=enrichments, description="Every span is that part of its text, and no summary stands without one.")
def spans_support_summaries(store: ResourceParam[TableStore], sessions: ResourceParam[Sessions]) -> AssetCheckResult:
    """Of the rows whose text the newest snapshot has: others were checked when they were written."""
    with sessions.open() as con:
        view(con, store, ENRICHMENTS.name, store.partitions(ENRICHMENTS.name))
        view(con, store, "texts", store.partitions("texts")[-1])
        found = _figures(con, "broken_spans") | _figures(con, "methods")
    return AssetCheckResult(
        passed=not found["broken"] and not found["unsupported"],
        description=f"{found['spans']:,} spans compared with their texts",
        metadata={
            "broken_spans": found["broken"],
            "such_as": found["such_as"] or "",
            "summaries_without_span": found["unsupported"],
        },
    )


@asset_check(asset=enrichments, description="The language model that was asked wrote most of the summaries.")
def model_wrote_summaries(
    context: AssetCheckExecutionContext,
    store: ResourceParam[TableStore],
    sessions: ResourceParam[Sessions],
    language_model: ResourceParam[LanguageModel],
) -> AssetCheckResult:
    """A warning: rows that the text's own best sentence had to fill are marked as such."""
    with sessions.open() as con:
        view(con, store, ENRICHMENTS.name, store.partitions(ENRICHMENTS.name))
        found = _figures(con, "methods")
    failed, asked, never_asked = found["failed"], found["asked"], found["never_asked"]
    if language_model.model:
        words = f"{failed:,} of {asked:,} answers could not be used; {never_asked:,} rows are from before the model"
    else:
        words = f"{never_asked:,} rows by the extractive method, since no language model is set: {HOW_TO_TURN_ON}"
        context.log.warning(words)
    return AssetCheckResult(
        passed=bool(language_model.model) and failed <= EXTRACTIVE_AT_MOST * asked,
        severity=AssetCheckSeverity.WARN,
        description=words,
        metadata={name: found[name] for name in ("rows", "extractive", "failed")},
    )


def _figures(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    """The one row of a query, by the names of its columns."""
    [row] = con.sql((SQL / "enrichment" / f"{query}.sql").read_text()).to_arrow_table().to_pylist()
    return row
