-- The `written` that no row of `enriched` is about yet, for this prompt and this model.
from written as w
where not exists (
    from enriched as e
    where e.input_sha256 = w.input_sha256
        and e.prompt_version = getvariable('prompt_version')
        and e.model = getvariable('model')
)
order by input_sha256
