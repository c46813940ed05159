-- The `shard_texts` without a row in `earlier_rows` for this prompt version and model.
select t.*
from shard_texts as t
where not exists (
    from earlier_rows as e
    where e.input_sha256 = t.input_sha256
        and e.prompt_version = getvariable('prompt_version')
        and e.model = getvariable('model')
        -- if no final reply came, the machine failed and not the text: ask again
        and (e.error is null or (e.reply is not null and e.finish_reason <> 'time'))
        and (e.category_prompt_sha256 is null or e.category_reply is not null)
)
order by input_sha256
