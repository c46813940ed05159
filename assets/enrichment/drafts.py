"""Summary and uses of a row: what the model's reply is worth, else the text's own sentences."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from assets.enrichment.replies import columns_of
from resources.language_model.questions import Reply

if TYPE_CHECKING:
    from enrichment.drafts import CrateReading, Draft


def drafted(reading: CrateReading, reply: Reply | None) -> dict[str, Any]:
    """The columns that summary and use cases come with. `reply` is None where no model was asked."""
    draft, error = _grounded(reading, reply)
    return {
        **asdict(draft or reading.extract()),
        "method": "llama_cpp" if draft else "extractive",
        "error": error,
        **columns_of(reply),
    }


def _grounded(reading: CrateReading, reply: Reply | None) -> tuple[Draft | None, str | None]:
    """What of a reply the text supports; or None, and why."""
    from enrichment.answer import InvalidAnswer

    if reply is None or reply.text is None:
        return None, reply and reply.error
    try:
        return reading.ground(reply.text, reply.finish_reason), None
    except InvalidAnswer as error:
        return None, error.reason
