-- How many rows were written by which method.
select
    count(*) as rows,
    count(*) filter (where method = 'extractive') as extractive,
    count(*) filter (where error is not null) as failed,
    count(*) filter (where model <> 'none') as asked,
    count(*) filter (where model = 'none') as never_asked,
    count(*) filter (where summary is not null and len(spans) = 0) as unsupported
from enrichments
