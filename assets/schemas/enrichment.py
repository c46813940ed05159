"""What was read in the texts that authors wrote."""

from resources.warehouse.schema import Column, Table

SPANS = "list<struct<field: string, start: int64, end: int64, text: string>>"

ENRICHMENTS = Table(
    name="enrichments",
    grain="One row per text of a crate x prompt version x model: what the text says of the crate, and where.",
    partition="shard",
    columns=(
        Column("input_sha256", "string", "Hash of all that was read: name, description, README, keywords, categories"),
        Column("prompt_version", "string", "Version of the prompt and of the rules for answers"),
        Column("model", "string", "sha256 of the model that was asked; 'none' where none was"),
        Column("crate", "string", "Canonical name of the crate"),
        Column("num", "string", "Earliest version with this text"),
        Column("known_at", "timestamp", "Publication of that version (UTC): the text was not known before"),
        Column("content_sha256", "string", "Hash of description and README, as in texts"),
        Column(
            "summary",
            "string",
            "At most 200 characters; null where the text says nothing that can be shown to be so",
            nullable=True,
        ),
        Column("use_cases", "list<string>", "Up to 3 uses that the text names"),
        Column("category", "string", "Top-level category slug of crates.io; null if unknown", nullable=True),
        Column(
            "category_source",
            "string",
            "Who says so: the author's own category, the nearest class in a sentence embedding, or, where that is in "
            "doubt, a language model of 1 GB or more that chose among the nearest three",
            nullable=True,
            accepted=("author", "embedding", "model"),
        ),
        Column(
            "category_margin",
            "double",
            "How far the nearest class's score is above the next one's: of the least third every fifth is wrong; null "
            "where the author chose",
            nullable=True,
        ),
        Column(
            "spans",
            SPANS,
            "Exact parts of description or README that support summary and use cases, in characters from 0",
        ),
        Column("language", "string", "Language of the text, ISO 639-1", nullable=True),
        Column(
            "method",
            "string",
            "Who wrote summary and use cases: a language model, or the text's own best sentence",
            accepted=("llama_cpp", "extractive"),
        ),
        Column("category_prompt_sha256", "string", "Hash of the prompt, if a model was asked for it", nullable=True),
        Column("category_reply", "string", "What the model said of the category, as it said it", nullable=True),
        Column("repairs", "list<string>", "What was mended in the model's answer"),
        Column("error", "string", "Why the model that was asked is not the method", nullable=True),
        Column("prompt_sha256", "string", "Hash of the prompt, if a model was asked", nullable=True),
        Column("reply", "string", "What the model said, as it said it", nullable=True),
        Column("finish_reason", "string", "Why it stopped", nullable=True, accepted=("stop", "length", "time")),
        Column("runtime", "string", "Runtime and settings that the reply depends on", nullable=True),
        Column("tokens_in", "int64", "Tokens of the prompt", nullable=True),
        Column("tokens_out", "int64", "Tokens of the reply", nullable=True),
        Column("seconds", "double", "Time the reply took", nullable=True, unit="seconds"),
    ),
    key=("input_sha256", "prompt_version", "model"),
)
