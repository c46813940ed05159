-- Enrichments of the newest text of each crate; a row by a model comes before one without.
with newest as (
    from enrichments
    qualify row_number() over (
        partition by crate order by known_at desc, method = 'llama_cpp' desc, model, prompt_version desc, input_sha256
    ) = 1
)

select
    count(*) as crates,
    count(summary) filter (where method = 'llama_cpp') as by_model,
    count(summary) filter (where method = 'extractive') as extracted,
    count(category) as categories
from newest
