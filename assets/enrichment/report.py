"""What the UI shows of one shard's enrichment."""

from collections import Counter
from typing import Any

import pyarrow as pa

from assets.enrichment.llm_calls import Asking
from assets.preview import markdown
from assets.schemas.enrichment import ENRICHMENTS
from assets.table_build import BuildContext

SHOWN = ("crate", "method", "category", "summary", "use_cases", "language", "error")


def report(context: BuildContext, rows: list[dict[str, Any]], asking: Asking | None) -> None:
    """Numbers of this run, and a few of its rows, with all markup in them made harmless."""
    methods = Counter(row["method"] for row in rows)
    context.report(
        new_rows=len(rows),
        rows_llama_cpp=methods["llama_cpp"],
        rows_extractive=methods["extractive"],
        rows_without_summary=sum(row["summary"] is None for row in rows),
        rows_repaired=sum(bool(row["repairs"]) for row in rows),
        invalid_answers=sum(row["error"] is not None for row in rows),
    )
    if asking is not None:
        tokens = sum(reply.tokens_out or 0 for reply in asking.replies)
        crates = len({reply.key for reply in asking.replies} & {row["prompt_sha256"] for row in rows})
        by_model = sum(row["category_source"] == "model" for row in rows)
        context.report(cache_hits=asking.reused, replies=len(asking.replies), categories_by_model=by_model)
        if asking.replies:
            context.report(
                tokens_per_second=round(tokens / asking.seconds, 1),
                crates_per_hour=round(crates / asking.seconds * 3600),
                asking_seconds=round(asking.seconds, 1),
            )
    if rows:
        shown = pa.Table.from_pylist(rows, ENRICHMENTS.arrow).select(SHOWN)
        context.notes["examples"] = markdown(shown)
