"""Summary and use cases of a row: from the model's reply if the text supports it, else the text's own sentences."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from assets.enrichment.replies import reply_columns
from resources.language_model.questions import Reply

if TYPE_CHECKING:
    from enrichment.crate_reading import CrateReading, Draft


def draft_columns(reading: CrateReading, reply: Reply | None) -> dict[str, Any]:
    """The columns of summary and use cases. `reply` is None if no model was asked."""
    draft, error = _model_draft(reading, reply)
    return {
        **asdict(draft or reading.extractive_draft()),
        "method": "llama_cpp" if draft else "extractive",
        "error": error,
        **reply_columns(reply),
    }


def _model_draft(reading: CrateReading, reply: Reply | None) -> tuple[Draft | None, str | None]:
    """The part of a reply that the text supports; or None and the reason, which is None too if no model was asked."""
    from enrichment.answer import InvalidAnswer

    if reply is None or reply.text is None:
        return None, reply and reply.error
    try:
        return reading.model_draft(reply.text, reply.finish_reason), None
    except InvalidAnswer as error:
        return None, error.reason
