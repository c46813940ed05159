"""The metrics and examples of one run that the UI shows."""

from collections import Counter
from typing import Any

import pyarrow as pa

from assets.enrichment.llm_calls import LlmCalls
from assets.preview import markdown
from assets.schemas.enrichment import ENRICHMENTS
from assets.table_build import BuildContext

EXAMPLE_COLUMNS = ("crate", "method", "category", "summary", "use_cases", "language", "error")


def report(context: BuildContext, rows: list[dict[str, Any]], calls: LlmCalls | None) -> None:
    """Reports the numbers of this run, and a few of its rows with their markup escaped."""
    methods = Counter(row["method"] for row in rows)
    context.report(
        new_rows=len(rows),
        rows_llama_cpp=methods["llama_cpp"],
        rows_extractive=methods["extractive"],
        rows_without_summary=sum(row["summary"] is None for row in rows),
        rows_repaired=sum(bool(row["repairs"]) for row in rows),
        invalid_answers=sum(row["error"] is not None for row in rows),
    )
    if calls is not None:
        tokens = sum(reply.tokens_out or 0 for reply in calls.replies)
        crates = len({reply.key for reply in calls.replies} & {row["prompt_sha256"] for row in rows})
        by_model = sum(row["category_source"] == "model" for row in rows)
        context.report(cache_hits=calls.reused, replies=len(calls.replies), categories_by_model=by_model)
        if calls.replies:
            context.report(
                tokens_per_second=round(tokens / calls.seconds, 1),
                crates_per_hour=round(crates / calls.seconds * 3600),
                model_seconds=round(calls.seconds, 1),
            )
    if rows:
        shown = pa.Table.from_pylist(rows, ENRICHMENTS.arrow).select(EXAMPLE_COLUMNS)
        context.notes["examples"] = markdown(shown)
