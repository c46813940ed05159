"""The schema of `enrichments`."""

from resources.warehouse.schema import Column, Table

SPANS = "list<struct<field: string, start: int64, end: int64, text: string>>"

ENRICHMENTS = Table(
    name="enrichments",
    grain="One row per text of a crate x prompt version x model: summary, use cases and category, with their spans.",
    partition="shard",
    columns=(
        Column("input_sha256", "string", "Hash of name, description, README, keywords and categories"),
        Column("prompt_version", "string", "Version of the prompts and of the rules for reading texts and replies"),
        Column("model", "string", "sha256 of the model's file; 'none' without a model"),
        Column("crate", "string", "Canonical name of the crate"),
        Column("num", "string", "Earliest version with this text"),
        Column("known_at", "timestamp", "Publication of that version (UTC): the text is known since then"),
        Column("content_sha256", "string", "Hash of description and README, as in texts"),
        Column(
            "summary",
            "string",
            "At most 200 characters; null if no sentence of the text describes the crate",
            nullable=True,
        ),
        Column("use_cases", "list<string>", "Up to 3 use cases that the text supports"),
        Column("category", "string", "Top-level category slug of crates.io; null if unknown", nullable=True),
        Column(
            "category_source",
            "string",
            "Origin of the category: the author, the nearest category in a sentence embedding, or, if that is "
            "uncertain, a language model of 1 GB or more that chose among the nearest three",
            nullable=True,
            accepted=("author", "embedding", "model"),
        ),
        Column(
            "category_margin",
            "double",
            "Score of the nearest category minus that of the next: in the lowest third, one in five categories is "
            "wrong; null if the author chose",
            nullable=True,
        ),
        Column(
            "spans",
            SPANS,
            "Exact parts of description or README that support summary and use cases; positions in characters from 0",
        ),
        Column("language", "string", "Language of the text, ISO 639-1", nullable=True),
        Column(
            "method",
            "string",
            "Origin of summary and use cases: a language model, or sentences of the text",
            accepted=("llama_cpp", "extractive"),
        ),
        Column(
            "category_prompt_sha256",
            "string",
            "Hash of the prompt for the category, if a model was asked",
            nullable=True,
        ),
        Column("category_reply", "string", "The model's unchanged reply about the category", nullable=True),
        Column("repairs", "list<string>", "Changes made to the model's reply"),
        Column("error", "string", "Reason why the model's reply is not used", nullable=True),
        Column("prompt_sha256", "string", "Hash of the prompt for the summary, if a model was asked", nullable=True),
        Column("reply", "string", "The model's unchanged reply", nullable=True),
        Column(
            "finish_reason",
            "string",
            "Why the reply ended: complete, out of tokens, or out of time",
            nullable=True,
            accepted=("stop", "length", "time"),
        ),
        Column("runtime", "string", "Runtime and settings that the reply depends on", nullable=True),
        Column("tokens_in", "int64", "Tokens of the prompt", nullable=True),
        Column("tokens_out", "int64", "Tokens of the reply", nullable=True),
        Column("seconds", "double", "Time the reply took", nullable=True, unit="seconds"),
    ),
    key=("input_sha256", "prompt_version", "model"),
)
