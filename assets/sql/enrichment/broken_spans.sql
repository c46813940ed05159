-- Spans of rows whose text is in the newest `texts`, and which are not that part of it; and how many there are in all.
select
    count(*) as spans,
    count(*) filter (where substring(source, span.start + 1, span."end" - span.start) is distinct from span.text) as broken,
    any_value(crate) filter (
        where substring(source, span.start + 1, span."end" - span.start) is distinct from span.text
    ) as such_as
from (
    select
        e.crate,
        e.span,
        case e.span.field when 'description' then t.description when 'readme' then t.readme end as source
    from (select crate, content_sha256, unnest(spans) as span from enrichments) as e
    join (select distinct content_sha256, description, readme from texts) as t using (content_sha256)
)
