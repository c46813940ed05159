-- The `written` that no row of `enriched` is about yet, for this prompt and this model.
select w.*
from written as w
where not exists (
    from enriched as e
    where e.input_sha256 = w.input_sha256
        and e.prompt_version = getvariable('prompt_version')
        and e.model = getvariable('model')
        -- where no whole reply came, the machine failed and not the text: it is asked again
        and (e.error is null or (e.reply is not null and e.finish_reason <> 'time'))
        and (e.category_prompt_sha256 is null or e.category_reply is not null)
)
order by input_sha256
