-- The rejected rows of the table judged last.
select
    $table_name as table_name,
    row_number() over (order by rejected, to_json(judged)) as number,
    to_json(judged)::varchar as source_row,
    rejected as reason
from judged
where rejected is not null
order by number
