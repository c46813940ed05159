-- As-of dates with labels that could not be known when they were made, and now can be.
select distinct as_of::varchar as as_of
from labels
where censored = 'not yet' and known_at <= getvariable('snapshot_at')
order by as_of
