-- Spans of the rows whose text is in the newest `texts`: how many there are, and how many differ from that part of it.
select
    count(*) as spans,
    count(*) filter (where substring(source, span.start + 1, span."end" - span.start) is distinct from span.text) as broken,
    any_value(crate) filter (
        where substring(source, span.start + 1, span."end" - span.start) is distinct from span.text
    ) as example_crate
from (
    select
        e.crate,
        e.span,
        case e.span.field when 'description' then t.description when 'readme' then t.readme end as source
    from (select crate, content_sha256, unnest(spans) as span from enrichments) as e
    join (select distinct content_sha256, description, readme from texts) as t using (content_sha256)
)
