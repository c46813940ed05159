-- The test dates of each target.
select
    target,
    horizon_days as "days ahead",
    string_agg(distinct test_as_of::varchar, ', ' order by test_as_of::varchar) as "test dates"
from tested
group by target, horizon_days
order by target
