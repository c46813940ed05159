"""Checks of all enrichments together."""

from typing import Any

import duckdb
from dagster import AssetCheckExecutionContext, AssetCheckResult, AssetCheckSeverity, ResourceParam, asset_check

from assets.enrichment.enrichments import enrichments
from assets.schemas.enrichment import ENRICHMENTS
from assets.table_build import SQL
from resources.language_model.language_model import HOW_TO_TURN_ON, LanguageModel
from resources.warehouse.session import Sessions, view
from resources.warehouse.table_store import TableStore

# if more replies cannot be used, the model or the prompt is wrong
MAX_FAILED_SHARE = 0.2


@asset_check(
    asset=enrichments, description="Every span is an exact part of its text, and every summary has at least one."
)
def spans_support_summaries(store: ResourceParam[TableStore], sessions: ResourceParam[Sessions]) -> AssetCheckResult:
    """Checks the rows whose text is in the newest snapshot: the others were checked when they were written."""
    with sessions.open() as con:
        view(con, store, ENRICHMENTS.name, store.partitions(ENRICHMENTS.name))
        view(con, store, "texts", store.partitions("texts")[-1])
        found = _figures(con, "broken_spans") | _figures(con, "methods")
    return AssetCheckResult(
        passed=not found["broken"] and not found["unsupported"],
        description=f"{found['spans']:,} spans compared with their texts",
        metadata={
            "broken_spans": found["broken"],
            "example_crate": found["example_crate"] or "",
            "summaries_without_span": found["unsupported"],
        },
    )


@asset_check(asset=enrichments, description="The configured language model wrote most of the summaries.")
def model_wrote_summaries(
    context: AssetCheckExecutionContext,
    store: ResourceParam[TableStore],
    sessions: ResourceParam[Sessions],
    language_model: ResourceParam[LanguageModel],
) -> AssetCheckResult:
    """Warns only: rows without a usable reply are marked as extractive. Without a model, no row needs a reply."""
    with sessions.open() as con:
        view(con, store, ENRICHMENTS.name, store.partitions(ENRICHMENTS.name))
        found = _figures(con, "methods")
    failed, asked, never_asked = found["failed"], found["asked"], found["never_asked"]
    if language_model.model:
        description = f"{failed:,} of {asked:,} replies cannot be used; {never_asked:,} rows were made without a model"
    else:
        description = f"{never_asked:,} rows are extractive, because no language model is set: {HOW_TO_TURN_ON}"
        context.log.warning(description)
    return AssetCheckResult(
        passed=failed <= MAX_FAILED_SHARE * asked,
        severity=AssetCheckSeverity.WARN,
        description=description,
        metadata={name: found[name] for name in ("rows", "extractive", "failed")},
    )


def _figures(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    """The one row of a query, by the names of its columns."""
    [row] = con.sql((SQL / "enrichment" / f"{query}.sql").read_text()).to_arrow_table().to_pylist()
    return row
