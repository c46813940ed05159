-- As-of dates with labels that were computed as not yet known and are known now.
select distinct as_of::varchar as as_of
from labels
where censored = 'not yet' and known_at <= getvariable('snapshot_at')
order by as_of
